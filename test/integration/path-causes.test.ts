/**
 * Causes of a broken path, brought about by the API between two joined zones: PathCheck names the cause, and its advice
 * helps. What the nodes see of each other is stated here; test/e2e/two-zones/path-causes.ts has real packets.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { pathCheck } from "../../provider/link/path-check.ts";
import { type Probed, probeBothWays } from "../../provider/link/path-probe.ts";
import { Session } from "../../provider/session.ts";
import { useTestCloud } from "../local-cloud/use-test-cloud.ts";
import { contextOf } from "../unit/provider/contexts.ts";
import { JoinedZones, part, type Zone } from "./joined-zones.ts";
import { Plugin } from "./plugin.ts";

// A file before this one may have loaded the provider, with the probe.
vi.hoisted(() => vi.resetModules());
vi.mock(import("../../provider/link/path-probe.ts"), async (importOriginal) => ({
  ...(await importOriginal()),
  probeBothWays: vi.fn(),
}));

const cloud = useTestCloud();
let plugin: Plugin;
let session: Session;
let joined: JoinedZones;

beforeAll(async () => {
  const configFile = `${cloud.home}/config.yaml`;
  plugin = await Plugin.here(configFile);
  session = new Session({ configFile });
  joined = new JoinedZones(plugin, cloud.client);
});
afterAll(async () => await plugin?.stop());

const [from, to] = ["192.168.1.2", "192.168.2.2"];
const right = { via: "192.168.1.1", error: null };
const rightBack = { via: "192.168.2.1", error: null };
/** The result at a node that hears nothing of the other. */
const silence: Probed = {
  from,
  to,
  reachable: false,
  rttMs: null,
  lossPercent: 100,
  mtu: null,
  isTold: false,
  isTraining: false,
  route: right,
  routeBack: rightBack,
  error: { code: "unreachable", message: `${to} answers no ping` },
};
const carries = (goodputMbps: number): Probed => ({
  ...silence,
  reachable: true,
  rttMs: 20,
  lossPercent: 0,
  mtu: 1400,
  error: null,
  goodputMbps,
});
const isSilent = `The path from ${from} to ${to} does not carry training: ${to} answers no ping`;

/**
 * The text with which the check refuses the path.
 * @param probed what the nodes see, or why they were not reached
 */
async function refusal(probed: readonly Probed[] | Error, deadline?: number): Promise<string> {
  vi.mocked(probeBothWays).mockImplementation(async () => {
    if (probed instanceof Error) throw probed;
    return probed;
  });
  const connection = { host: "203.0.113.1", port: 2201, user: "root", privateKey: "none", hostKey: "none" };
  const wanted = {
    from: { connection, address: from },
    to: { connection, address: to },
    mtu: 1400,
    effort: "quick" as const,
    tunnels: [joined.tunnelInput()],
    expectedMbps: 18.1,
    triggers: [],
  };
  const context = contextOf({ session, ...(deadline === undefined ? {} : { deadline }) });
  return await pathCheck.create(context, wanted).then(
    ({ outputs }) => `it is fine: ${JSON.stringify(outputs)}`,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

/** Whether at both ends all is right: then silence is nobody's fault that the check could name. */
async function expectNothingWrong(): Promise<void> {
  expect(await refusal([silence], 0)).toBe(
    `${isSilent}. At both ends the API shows nothing wrong (routers, EIPs, tunnels with their keys and networks, security groups; nodes' routes), so packets are lost between the EIPs: does a carrier block ${joined.tunnelInput().kind === "gre" ? "GRE (protocol 47)" : "UDP 500 and 4500"}? Try the other crosszone:tunnel.kind.`,
  );
}

const routerOf = (zone: Zone) => `router ${joined.id("Vpc", zone)} (zone ${zone})`;
const tunnelOf = (zone: Zone) => `the tunnel ${joined.tunnelId(zone)} of ${routerOf(zone)}`;
const both = () => `${routerOf("gpu1a")} and ${routerOf("gpu2a")} differ`;
const refresh = "`pulumi up --refresh` fixes it";

interface Case {
  /** The title of the test. */
  readonly name: string;
  spoil(): Promise<unknown>;
  /** Each with its cure. */
  causes(): readonly (readonly [what: string, cure: string])[];
  /** Where the cure is another than a refresh. */
  repair?(): Promise<unknown>;
}

function each(cases: readonly Case[]): void {
  for (const one of cases) test(one.name, () => expectFoundAndCured(one));
}

/** Breaks, finds the cause and nothing else (so no key is shown), does what it advises, and finds nothing wrong. */
async function expectFoundAndCured({ spoil, causes, repair }: Case): Promise<void> {
  await spoil();
  const text = await refusal([silence]);
  const lines = causes().map(([what, cure]) => `  - ${what}. What to do: ${cure}.`);
  expect(text).toBe([`${isSilent}.`, ...lines].join("\n"));
  await (repair?.() ?? joined.refreshAndUp());
  await expectNothingWrong();
}

describe("of an IPSec tunnel", () => {
  beforeAll(async () => {
    await joined.join("ipsec");
    await expectNothingWrong();
  });

  each([
    {
      name: "another pre-shared key at one side, and no key is shown",
      spoil: () => joined.modifyAndApply("gpu2a", part(2, "another key")),
      causes: () => [[`the pre-shared keys of ${both()}`, `${refresh} on both sides`]],
    },
    {
      name: "UpdateRouters that is missing on one side",
      spoil: async () => {
        for (const zone of ["gpu1a", "gpu2a"] as const)
          await joined.modify(zone, part(2, "the same new key"));
        await joined.apply("gpu1a");
      },
      causes: () => [
        [
          `${tunnelOf("gpu2a")} is not in effect: UpdateRouters is missing on this side`,
          `${refresh}; in the console it is "apply changes" of the router`,
        ],
      ],
    },
    {
      name: "a peer's address that is another's, and target networks that are not the peer's",
      spoil: () =>
        joined.modifyAndApply("gpu1a", (values) => ({
          ...part(0, "198.51.100.99")(values),
          val3: "192.168.9.0/24",
        })),
      causes: () => [
        [
          `${tunnelOf("gpu1a")} leads to 198.51.100.99, its peer ${routerOf("gpu2a")} is at ${joined.eipAddress("gpu2a")}`,
          refresh,
        ],
        [
          `${tunnelOf("gpu1a")} does not lead to 192.168.2.0/24 behind its peer, but to 192.168.9.0/24`,
          refresh,
        ],
      ],
    },
    {
      name: "a peer's name that is another's, another algorithm and another mode",
      spoil: () =>
        joined.modifyAndApply("gpu1a", (values) => ({
          val1: values.with(1, "3des").with(3, "198.51.100.99").join("|"),
          val4: "aggrmode",
        })),
      causes: () => [
        [
          `${tunnelOf("gpu1a")} wants a peer by the name 198.51.100.99, its peer's is ${joined.eipAddress("gpu2a")}`,
          refresh,
        ],
        [`the algorithms (3des, aes) of ${both()}`, `${refresh} on both sides`],
        [`the IKE modes (aggrmode, main) of ${both()}`, `${refresh} on both sides`],
      ],
    },
  ]);

  test("a node whose route leads elsewhere, with the route that repairs it", async () => {
    const routeBack = { via: null, error: "RTNETLINK answers: No route to host" };
    expect(await refusal([{ ...silence, routeBack }])).toBe(
      `${isSilent}.\n  - the node ${to} has no route to ${from} (${routeBack.error}). What to do: on the node: \`sudo ip route replace 192.168.1.0/24 via 192.168.2.1\`, or restart it: its user data sets the route at every boot.`,
    );
  });

  test("a bandwidth far below the purchase", async () => {
    const eip = joined.id("Eip", "gpu1a");
    await cloud.client.done("ChangeEipsBandwidth", { "eips.1": eip, bandwidth: "2" });
    const slow = [carries(1.8), carries(1.9)];
    const what = `The path between ${from} and ${to} carries 1.8 Mbit/s of TCP, far below the 18.1 that the headers leave of the bandwidth that was bought.`;
    expect(await refusal(slow)).toBe(
      `${what}\n  - EIP ${eip} of ${routerOf("gpu1a")} has 2 Mbit/s, not 20: someone has changed it. What to do: ${refresh}.`,
    );
    await joined.refreshAndUp();
    const eips = await cloud.client.one("DescribeEips", "eip_set", { "eips.1": eip });
    expect(eips.bandwidth).toBe(20);
    expect(await refusal([carries(18), carries(17.5)])).toBe(
      'it is fine: {"up":true,"rttMs":20,"lossPercent":0,"goodputMbps":17.5,"mtu":1400}',
    );
  });

  test("a router that is off, behind which no node is reached", async () => {
    const router = { zone: "gpu2a", "routers.1": joined.id("Vpc", "gpu2a") };
    await cloud.client.done("PowerOffRouters", router);
    const unreached = new Error("203.0.113.1:2201 did not answer the bastion within 15 s");
    expect(await refusal(unreached)).toBe(
      `The path could not be checked: ${unreached.message}.\n  - ${routerOf("gpu2a")} is poweroffed. What to do: power it on in the console, or wait until it is active.`,
    );
    await cloud.client.done("PowerOnRouters", router);
    await expectNothingWrong();
  });
});

describe("of a GRE tunnel, which takes the place of the other", () => {
  let rival: string;
  beforeAll(async () => {
    await joined.join("gre");
    await expectNothingWrong();
  });

  const leadsToo = () =>
    [
      `another tunnel of ${routerOf("gpu1a")}, ${rival}, leads to overlapping networks (192.168.2.0/25) and takes their packets`,
      "delete that tunnel, or give it other networks, and apply the router's changes",
    ] as const;

  const isClosed = () => {
    const peer = joined.eipAddress("gpu1a");
    return [
      `security group ${joined.id("SecurityGroup", "gpu2a")} of ${routerOf("gpu2a")} does not let in gre from ${peer}, the router of zone gpu1a`,
      `${refresh}, or add the rule accept gre from ${peer}/32 and apply the group`,
    ] as const;
  };

  each([
    {
      name: "a security group that does not let it in",
      spoil: () => joined.closeGroup("gpu2a", true),
      causes: () => [isClosed()],
    },
    {
      name: "a security group with changes that are not in effect",
      spoil: () => joined.closeGroup("gpu2a", false),
      causes: () => [
        isClosed(),
        [
          `security group ${joined.id("SecurityGroup", "gpu2a")} of ${routerOf("gpu2a")} has changes that are not in effect: ApplySecurityGroup is missing`,
          refresh,
        ],
      ],
    },
    {
      name: "another key at one side, and another tunnel to networks that overlap",
      spoil: async () => {
        const zone = "gpu1a";
        await joined.modify(zone, part(1, "77"));
        const added = await cloud.client.ok("AddRouterStatics", {
          zone,
          router: joined.id("Vpc", zone),
          "statics.1.static_type": "6",
          "statics.1.val1": "198.51.100.99|7|10.250.0.1|10.250.0.2",
          "statics.1.val2": "192.168.2.0/25",
        });
        [rival = ""] = added.router_statics as string[];
        await joined.apply(zone);
      },
      causes: () => [leadsToo(), [`the keys (77, 1001) of ${both()}`, `${refresh} on both sides`]],
      repair: async () => {
        await joined.refreshAndUp();
        // The key is right again; the other tunnel still takes the packets.
        const [what, cure] = leadsToo();
        expect(await refusal([silence])).toBe(`${isSilent}.\n  - ${what}. What to do: ${cure}.`);
        await cloud.client.ok("DeleteRouterStatics", { zone: "gpu1a", "router_statics.1": rival });
        await joined.apply("gpu1a");
      },
    },
    {
      name: "a tunnel that someone has deleted",
      spoil: async () => {
        const id = joined.tunnelId("gpu2a");
        await cloud.client.ok("DeleteRouterStatics", { zone: "gpu2a", "router_statics.1": id });
        await joined.apply("gpu2a");
      },
      causes: () => [
        [
          `${routerOf("gpu2a")} no longer has tunnel ${joined.tunnelId("gpu2a")}: someone has deleted it`,
          refresh,
        ],
      ],
    },
  ]);
});
