/** States that earlier versions have left, of what has not changed since: an up or a preview, and a refresh, find nothing to do. */
import { readFileSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import { stateFile } from "../../scripts/dev/state-file.ts";
import { type Stack, up } from "../harness/stack.ts";
import { importStored, storedState, storedVersions } from "./stored-stack.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let stack: Stack | undefined;
afterEach(async () => await stack?.remove());

/** Its firewalls go over to lists of rules: see upgrade-rules.test.ts. */
const withSingleRules = "0.2.0-intranet-mesh";
const unchanged = storedVersions.filter((version) => version !== withSingleRules);

test.each(unchanged)(
  "a stack that version %s has made has only its mark to change, in the state alone",
  async (version) => {
    const stored = await importStored(version, (made) => {
      stack = made;
    });
    const { cloud, workspace } = stored.stack;
    expect(stored.stack.resources().length).toBeGreaterThanOrEqual(24);
    if (stored.hasCloud) {
      // What a refresh reads has the mark that was the program's when it was kept.
      for (const more of [[], ["--refresh"]])
        expect(await cloud.changesBy(() => stored.stack.ok(...up, ...more, ...stored.configuration))).toEqual(
          [],
        );
      await stored.stack.noChanges(...stored.configuration);
    } else {
      const preview = ["preview", "--diff", "--color", "never", ...stored.configuration];
      let shown = "";
      const calls = await cloud.changesBy(async () => {
        shown = await stored.stack.ok(...preview);
      });
      expect([calls, shown.match(/^ {4}\S+ \d+ to .*$/gm)]).toEqual([[], ["    ~ 1 to update"]]);
      expect(shown).toMatch(/^ *~ qingcloud:state:StackMark: \(update\)$/m);
    }
    const texts = readFileSync(stateFile(workspace), "utf8");
    for (const secret of ["private key of operator", "pre-shared-key-of-the-tunnel"]) {
      expect(texts).not.toContain(secret);
    }
  },
);

test("earlier versions have left two zones, and a mesh over an intranet with a resource a firewall rule", () => {
  expect(storedVersions).toEqual(["0.1.0", withSingleRules, "0.2.0-two-zones"]);
  const types = (storedState(withSingleRules).deployment.resources as { type: string }[]).map(
    ({ type }) => type,
  );
  expect(types.filter((type) => type === "qingcloud:cloud:SecurityGroupRule")).toHaveLength(16);
});
