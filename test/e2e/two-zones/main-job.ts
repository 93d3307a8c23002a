/** From nothing to a trained model, and again. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { filesHolding, followedOf, outputsOf, secretsOf } from "../../harness/outputs.ts";
import { command, root } from "../../harness/process.ts";
import { lastingByUrn } from "../../harness/stack.ts";
import { ownFilesInGit, test } from "./story.ts";

const script = join(root, "scripts", "train", "pytorch_mnist_dist.py");
const scriptSha256 = createHash("sha256").update(readFileSync(script)).digest("hex");

export function mainJob(): void {
  test("npm start ends with a model that two ranks in two zones trained", ({ place, first }) => {
    expect(first.code, first.text).toBe(0);
    const { zones, tunnels, training } = outputsOf(place);

    expect(zones).toMatchObject([
      { name: "beijing", zoneId: "gpu1a", bandwidthMbps: 20, network: "192.168.1.0/24" },
      { name: "shanghai", zoneId: "gpu2a", bandwidthMbps: 20, network: "192.168.2.0/24" },
    ]);
    expect(zones.flatMap(({ nodes }) => nodes.map(({ name, privateIp }) => [name, privateIp]))).toEqual([
      ["beijing-1", "192.168.1.2"],
      ["shanghai-1", "192.168.2.2"],
    ]);
    expect(tunnels).toMatchObject([
      { kind: "ipsec", zones: ["beijing", "shanghai"], encrypted: true, up: true, mtu: 1400 },
    ]);

    expect(training).toMatchObject({
      state: "succeeded",
      mode: "cross-zone",
      script: "pytorch_mnist_dist.py",
      scriptSha256,
      worldSize: 2,
      masterAddr: "192.168.1.2",
      masterPort: 29500,
      ranks: [
        { rank: 0, node: "beijing-1", exitCode: 0, epochs: 10, samplesSeen: 7190 },
        { rank: 1, node: "shanghai-1", exitCode: 0, epochs: 10, samplesSeen: 7190 },
      ],
    });
    const [one, other] = training.ranks;
    expect(one?.accuracy).toBeGreaterThanOrEqual(0.95);
    expect(other?.accuracy).toBe(one?.accuracy);
    expect(other?.parametersSha256).toBe(one?.parametersSha256);
  });

  test("a run that was waited for ends with its report", ({ place, first }) => {
    const { training } = outputsOf(place);
    const html = join(place.pulumiHome, "reports", training.runId, "report.html");
    expect(first.stdout).toContain(`report  ${html}\n`);
    expect(existsSync(html)).toBe(true);
    expect(training.report).toBe(html);
  });

  test("each rank trained on its own shard, and together on every sample", ({ place }) => {
    const shards = JSON.parse(
      command("/usr/bin/python3", join(import.meta.dirname, "..", "shards.py"), "1797", "2", "1"),
    ) as { sha256: string[]; sizes: number[]; disjoint: boolean; complete: boolean };
    expect(shards).toMatchObject({ disjoint: true, complete: true, sizes: [719, 719] });
    const results = followedOf(place).flatMap((followed) => followed.results);
    expect(results.map(({ shardIndices }) => shardIndices)).toEqual(shards.sizes);
    expect(results.map((result) => result.shardSha256)).toEqual(shards.sha256);
  });

  test("the live output marks every line of training with its rank, and no file of the checkout changes", ({
    first,
    before,
  }) => {
    for (const rank of [0, 1]) {
      const lines = first.stdout.split("\n").filter((line) => line.startsWith(`rank ${rank} | `));
      expect(lines.filter((line) => /epoch \d+\/10 loss/.test(line)).length).toBeGreaterThanOrEqual(8);
    }
    expect(first.stdout.split("\n").filter((line) => /^epoch/.test(line))).toEqual([]);
    expect(ownFilesInGit()).toBe(before.git);
  });

  test("no secret is seen in the output, the log of calls, the cloud's logs or the state", ({
    place,
    first,
    secrets,
  }) => {
    expect(Object.keys(secrets).sort()).toEqual([
      "passphrase",
      "pre-shared key beijing-shanghai",
      "private key beijing-1-host",
      "private key operator",
      "private key shanghai-1-host",
      "secret access key",
    ]);
    const { text } = place.checkpoint();
    for (const [what, secret] of Object.entries(secrets)) {
      expect(secret.length, what).toBeGreaterThanOrEqual(20);
      expect(first.text.includes(secret), `${what} in the output`).toBe(false);
      expect(text.includes(secret), `${what} in the exported state`).toBe(false);
      const inFiles = filesHolding(place.pulumiHome, secret);
      expect(inFiles.map((file) => file.slice(place.pulumiHome.length + 1))).toEqual(
        what === "passphrase" ? ["passphrase"] : [],
      );
      for (const file of ["calls.jsonl", "log"]) {
        expect(readFileSync(join(place.cloudHome, file), "utf8").includes(secret), `${what} in ${file}`).toBe(
          false,
        );
      }
      expect(filesHolding(join(place.cloudHome, "logs"), secret)).toEqual([]);
    }
    // User data travels in base64, and holds a host's private key.
    const launched = place.calls().filter(({ action }) => action === "RunInstances");
    expect(launched.map(({ parameters: given }) => given.userdata_value)).toEqual(["[secret]", "[secret]"]);
  });

  test("a second preview and a second start, which refreshes, change nothing and call nothing that could; the report stays", async ({
    place,
    secrets,
  }) => {
    const html = outputsOf(place).training.report ?? "";
    const report = readFileSync(html, "utf8");
    const state = lastingByUrn(place.checkpoint().resources);
    const changes = await place.changesBy(async () => {
      const previewed = await place.preview("--expect-no-changes");
      expect(previewed.code, previewed.text).toBe(0);
      const again = await place.start();
      expect(again.code, again.text).toBe(0);
      expect(again.stdout).toContain("Nothing has changed since the last run: no resource was touched.");
      expect(again.stdout).toContain(`report  ${html}\n`);
    });
    expect(changes).toEqual([]);
    // A start refreshes: what it had found otherwise would stand in the state now.
    expect(lastingByUrn(place.checkpoint().resources)).toEqual(state);
    expect(secretsOf(place)).toEqual(secrets);
    expect(readFileSync(html, "utf8")).toBe(report);
  });
}
