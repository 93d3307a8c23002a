import { expect, test } from "vitest";
import { parse } from "yaml";
import { providerSettings, shownSettings } from "../../../../scripts/dev/report/settings.ts";

const text = `
encryptionsalt: v1:saltsaltsalt
config:
  qingcloud:configFile: /home/me/config.yaml
  qingcloud:profile: two
  qingcloud:zone:
    secure: v1:cipher
  aws:region: x
  crosszone:operatorCidrs: [198.51.100.7/32]
  crosszone:ssh: {proxy: {host: 127.0.0.1, hostKey: ssh-ed25519 AAAA}}
  crosszone:vpcNetwork:
    secure: v1:cipher
  crosszone:zones:
    - {name: beijing, imageId: {secure: "v1:cipher"}}
  crosszone:training:
    epochs: 3
    script:
      source: url
      url: https://me:pass@example.com/a/train.py?token=hush
      env: {TOKEN: hush, MODE: fast}
    container:
      image: own
      options: [--gpus, all, -e, TOKEN=hush, -eA=hush, --env=B=hush, --env, C, --shm-size=1g]
`;

test("a report's settings are those of the run: no secret, no value of the environment, nothing of how one logs in", () => {
  const shown = shownSettings(text);
  expect(shown).not.toMatch(/hush|pass|cipher|salt|hostKey|198\.51/);
  expect(parse(shown)).toEqual({
    config: {
      "crosszone:vpcNetwork": "(not shown)",
      "crosszone:zones": [{ name: "beijing", imageId: "(not shown)" }],
      "crosszone:training": {
        epochs: 3,
        script: {
          source: "url",
          url: "https://example.com/a/train.py",
          env: { TOKEN: "(not shown)", MODE: "(not shown)" },
        },
        container: {
          image: "own",
          options: [
            "--gpus",
            "all",
            "-e",
            "TOKEN=(not shown)",
            "-eA=(not shown)",
            "--env=B=(not shown)",
            "--env",
            "C",
            "--shm-size=1g",
          ],
        },
      },
    },
  });
});

test("the provider's own settings say where the credentials are", () => {
  expect(providerSettings(text)).toEqual({ configFile: "/home/me/config.yaml", profile: "two" });
  expect(providerSettings("{}")).toEqual({});
});
