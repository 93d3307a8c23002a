import { expect, test } from "vitest";
import { failure, slowness } from "../../../provider/link/path-messages.ts";

const [from, to] = ["192.168.1.2", "192.168.2.2"] as const;
const silent = { from, to, mtu: null, error: { code: "unreachable", message: `${to} answers no ping` } };
const tunnels = [{ kind: "ipsec" as const }];
const start = `The path from ${from} to ${to} does not carry training: ${to} answers no ping.`;

test("every cause is told on a line of its own, with what to do", () => {
  const causes = [1, 2].map((number) => ({ what: `cause ${number}`, cure: `cure ${number}` }));
  expect(failure(silent, tunnels, causes)).toBe(
    `${start}\n  - cause 1. What to do: cure 1.\n  - cause 2. What to do: cure 2.`,
  );
});

test.each([
  ["ipsec", "UDP 500 and 4500"],
  ["gre", "GRE (protocol 47)"],
] as const)(
  "where nothing is wrong at the ends of a tunnel of kind %s, what was looked at is told",
  (kind, blocked) => {
    expect(failure(silent, [{ kind }], [])).toBe(
      `${start} At both ends the API shows nothing wrong (routers, EIPs, tunnels with their keys and networks, security groups; nodes' routes), so packets are lost between the EIPs: does a carrier block ${blocked}? Try the other crosszone:tunnel.kind.`,
    );
  },
);

test("where there is no tunnel to look at, only what the nodes say is told", () => {
  expect(failure(silent, [], [])).toBe(start);
});

test("an MTU black hole is told with the size to set", () => {
  const error = { code: "mtu", message: "the largest that passes is 1300 bytes" };
  expect(failure({ ...silent, mtu: 1300, error }, tunnels, [])).toBe(
    `The path from ${from} to ${to} does not carry training: the largest that passes is 1300 bytes. Larger ones vanish on the way and nobody is told (an MTU black hole), on which training would hang. Set crosszone:tunnel.mtu to 1300; or let routers on the way send ICMP "fragmentation needed".`,
  );
});

test("a path that is slow for no cause that was found tells the loss", () => {
  const between = { from: { address: from }, to: { address: to }, expectedMbps: 18.14 };
  const slow = { goodputMbps: 3.21, lossPercent: 6.7 };
  const what = `The path between ${from} and ${to} carries 3.2 Mbit/s of TCP, far below the 18.1 that the headers leave of the bandwidth that was bought.`;
  expect(slowness(between, slow, [])).toBe(
    `${what} The EIPs have the bandwidth that was bought. 6.7 % of small packets were lost on the way. Is something else using them, or are the routers' types too small?`,
  );
  expect(slowness(between, slow, [{ what: "an EIP", cure: "more" }])).toBe(
    `${what}\n  - an EIP. What to do: more.`,
  );
});
