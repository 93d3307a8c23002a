/** Whether routers lower the segment size of TCP, as connections through a tunnel see it. */

import { rmSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { createLinuxDataPlane } from "../../local-cloud/network/linux.ts";
import type { Picture } from "../../local-cloud/network/picture.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import {
  greRule,
  greTunnel,
  node,
  openRules,
  output,
  ownPrefix,
  router,
  temporaryFolder,
  watchWire,
} from "./support.ts";

const site = (zone: 1 | 2) =>
  router(zone, {
    ipsecTunnels: [],
    greTunnels: [greTunnel(zone)],
    inbound: [...openRules, greRule],
  });
const picture: Picture = {
  routers: [site(1), site(2)],
  nodes: [node(1, []), node(2, [])],
  bastionKeys: [],
};

describe("segment size of TCP through a tunnel of 1472 bytes", { timeout: 30_000 }, () => {
  beforeAll(requireDataPlane);

  test.each([
    { clampMss: true, mss: 1432 },
    { clampMss: false, mss: 1460 },
  ])("with clampMss $clampMss it is $mss", async ({ clampMss, mss }) => {
    const home = temporaryFolder();
    const prefix = ownPrefix(clampMss ? "c" : "d");
    const options = { home, prefix, bastionPort: 0, webRoot: home, clampMss, log: () => {} };
    const plane = await createLinuxDataPlane(options);
    try {
      await plane.converge(picture);
      const connect = "exec 3<>/dev/tcp/192.168.2.2/9";
      const seen = await watchWire(`${prefix}-i-00000002`, /192\.168\.2\.2\.9: Flags \[S\]/, () =>
        output("ip", "netns", "exec", `${prefix}-i-00000001`, "timeout", "2", "bash", "-c", connect),
      );
      expect(/192\.168\.2\.2\.9: Flags \[S\].*mss (\d+)/.exec(seen)?.[1]).toBe(String(mss));
    } finally {
      await plane.stop();
      rmSync(home, { recursive: true, force: true });
    }
  });
});
