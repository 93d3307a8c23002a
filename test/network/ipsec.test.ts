import { describe, expect, test } from "vitest";
import type { IpsecTunnelPicture, RouterPicture } from "../../local-cloud/network/picture.ts";
import {
  anchorAddresses,
  connection,
  sharedKey,
  tunnelPlans,
} from "../../local-cloud/network/tunnels/ipsec.ts";
import { router, tunnel } from "./support.ts";

const pictureOf = (...routers: RouterPicture[]) => ({ routers, nodes: [], bastionKeys: [] });

function initiators(first: Partial<IpsecTunnelPicture>, second: Partial<IpsecTunnelPicture>): boolean[] {
  const routers = [
    router(1, { ipsecTunnels: [tunnel(1, first)] }),
    router(2, { ipsecTunnels: [tunnel(2, second)] }),
  ];
  return routers.flatMap((one) => tunnelPlans(one, pictureOf(...routers)).map(({ initiates }) => initiates));
}

describe("IPSec plan", () => {
  test("exactly one side initiates: the lower EIP, or the side that names its peer", () => {
    expect(initiators({}, {})).toEqual([false, true]);
    expect(initiators({}, { remoteAddress: "0.0.0.0", remoteId: "%any" })).toEqual([true, false]);
    expect(initiators({ remoteAddress: "0.0.0.0", remoteId: "%any" }, {})).toEqual([false, true]);
  });

  test("nobody calls a peer that has no tunnel or no EIP", () => {
    const alone = router(2);
    expect(tunnelPlans(alone, pictureOf(alone)).map(({ initiates }) => initiates)).toEqual([false]);
    expect(tunnelPlans(alone, pictureOf(alone, router(1, { ipsecTunnels: [] })))[0]?.initiates).toBe(false);
    const { eip: _, ...withoutEip } = router(1);
    expect(tunnelPlans(alone, pictureOf(alone, withoutEip))[0]?.initiates).toBe(false);
    expect(tunnelPlans(withoutEip, pictureOf(withoutEip))).toEqual([]);
  });

  test("a peer on the zone's intranet is called from the address there, one that takes any peer answers on both", () => {
    const intranet = (address: string) => ({ intranet: { address, network: "100.64.0.0/16" } });
    const { eip: _, ...withoutEip } = router(1, {
      ...intranet("100.64.0.10"),
      ipsecTunnels: [tunnel(1, { remoteAddress: "100.64.0.11", remoteId: "100.64.0.11" })],
    });
    const any = tunnel(2, { remoteAddress: "0.0.0.0", remoteId: "0.0.0.0" });
    const hub = router(2, { ...intranet("100.64.0.11"), ipsecTunnels: [any] });
    const picture = pictureOf(withoutEip, hub);
    const ways = [withoutEip, hub].map((one) =>
      tunnelPlans(one, picture).map(({ id, localAddress, initiates }) => [id, localAddress, initiates]),
    );
    expect(ways).toEqual([
      [["rtrs-1", "100.64.0.10", true]],
      [
        ["rtrs-2", "198.51.100.20", false],
        ["rtrs-2-intranet", "100.64.0.11", false],
      ],
    ]);
    const [plan] = tunnelPlans(hub, picture);
    if (!plan) throw new Error("no plan");
    expect(connection(plan)).toMatchObject({
      "rtrs-2": { remote_addrs: ["%any"], remote: { auth: "psk", id: "%any" } },
    });
    expect(sharedKey(plan).owners).toEqual(["198.51.100.20"]);
  });

  test("a connection has one child for each pair of networks and the EIP as identity", () => {
    const networks = { localNetworks: ["192.168.1.0/24", "10.1.0.0/24"], remoteNetworks: ["192.168.2.0/24"] };
    const one = router(1, { ipsecTunnels: [tunnel(1, { ...networks, mode: "aggressive" })] });
    const [plan] = tunnelPlans(one, pictureOf(one));
    if (!plan) throw new Error("no plan");
    expect(connection(plan)).toMatchObject({
      "rtrs-1": {
        version: "1",
        aggressive: "yes",
        encap: "yes",
        local: { auth: "psk", id: "203.0.113.10" },
        remote: { auth: "psk", id: "198.51.100.20" },
        children: {
          "rtrs-1-0-0": { local_ts: ["192.168.1.0/24"], remote_ts: ["192.168.2.0/24"] },
          "rtrs-1-1-0": { local_ts: ["10.1.0.0/24"], remote_ts: ["192.168.2.0/24"] },
        },
      },
    });
    expect(sharedKey(plan)).toEqual({
      id: "rtrs-1",
      type: "IKE",
      data: "a key that is seen nowhere",
      owners: ["203.0.113.10", "198.51.100.20"],
    });
  });

  test("the hub of a star has an address in each network that it passes on", () => {
    const hub = router(1, {
      ipsecTunnels: [tunnel(1, { localNetworks: ["192.168.1.0/24", "192.168.3.0/24"] })],
    });
    expect(anchorAddresses(hub)).toEqual(["192.168.3.0"]);
  });
});
