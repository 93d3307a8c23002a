import { expect, test } from "vitest";
import { readFiles, readNetwork } from "../../../../scripts/dev/report/state.ts";

const urn = (types: string, name: string) => `urn:pulumi:dev::crosszone::${types}::${name}`;
const zoneUrn = (name: string) => urn("crosszone:network:Network$crosszone:network:Zone", name);
const tunnelUrn = urn("crosszone:network:Network$crosszone:network:Tunnel", "a-b");

function zone(name: string, address: string, outputs: object = {}) {
  const child = (type: string, more: object) => ({
    urn: urn(`crosszone:network:Zone$${type}`, `${name}-1`),
    type,
    parent: zoneUrn(name),
    ...more,
  });
  return [
    { urn: zoneUrn(name), type: "crosszone:network:Zone", outputs },
    child("qingcloud:cloud:Instance", {
      id: `i-${name}`,
      inputs: {
        zone: `gpu-${name}`,
        privateIp: address,
        cpu: 4,
        memoryGiB: 8,
        userData: { ciphertext: "secret" },
      },
    }),
    child("qingcloud:link:NodeReady", { inputs: {}, outputs: { gpus: 2 } }),
  ];
}

function tunnel(remoteAddress: string) {
  const side = (name: string) => ({
    urn: urn("qingcloud:cloud:GreTunnel", `a-b-at-${name}`),
    type: "qingcloud:cloud:GreTunnel",
    parent: tunnelUrn,
    inputs: { vpcId: `rtr-${name}`, remoteAddress, presharedKey: "secret" },
  });
  const check = {
    urn: urn("qingcloud:link:PathCheck", "a-b"),
    type: "qingcloud:link:PathCheck",
    parent: tunnelUrn,
    outputs: { rttMs: 1.5, goodputMbps: 18, mtu: 1472, from: { privateKey: "secret" } },
  };
  return [{ urn: tunnelUrn, type: "crosszone:network:Tunnel" }, side("b"), side("a"), check];
}

const stateOf = (resources: object[]) => JSON.stringify({ deployment: { resources } });

test("zones in the order of their ranks, with nodes and tunnels, and nothing else of what the state holds", () => {
  const resources = [
    ...zone("b", "192.168.1.2", { vpcId: "rtr-b", publicIp: "198.51.100.1" }),
    ...zone("a", "192.168.2.2", { vpcId: "rtr-a", publicIp: "203.0.113.1" }),
    ...tunnel("203.0.113.1"),
  ];
  const node = (name: string, privateIp: string) => ({
    name: `${name}-1`,
    instanceId: `i-${name}`,
    privateIp,
    shape: "4 CPU, 8 GiB",
    gpus: 2,
  });
  expect(readNetwork(stateOf(resources), ["a-1", "b-1"])).toEqual({
    zones: [
      {
        name: "a",
        zoneId: "gpu-a",
        routerId: "rtr-a",
        publicIp: "203.0.113.1",
        nodes: [node("a", "192.168.2.2")],
      },
      {
        name: "b",
        zoneId: "gpu-b",
        routerId: "rtr-b",
        publicIp: "198.51.100.1",
        nodes: [node("b", "192.168.1.2")],
      },
    ],
    tunnels: [{ zones: ["a", "b"], kind: "gre", over: "internet", rttMs: 1.5, goodputMbps: 18, mtu: 1472 }],
  });
});

test("a tunnel to a router is one over the zone's intranet; one with a single side is not there yet", () => {
  const zones = [
    ...zone("a", "192.168.1.2", { vpcId: "rtr-a" }),
    ...zone("b", "192.168.2.2", { vpcId: "rtr-b" }),
  ];
  const [component, one, other, check] = tunnel("rtr-b");
  const tunnelsOf = (...parts: (object | undefined)[]) =>
    readNetwork(stateOf([...zones, ...parts.filter((part) => part !== undefined)]), []).tunnels;
  expect(tunnelsOf(component, one, other, check)).toMatchObject([{ zones: ["a", "b"], over: "intranet" }]);
  expect(tunnelsOf(component, one, other)).toEqual([
    {
      zones: ["a", "b"],
      kind: "gre",
      over: "intranet",
      rttMs: undefined,
      goodputMbps: undefined,
      mtu: undefined,
    },
  ]);
  expect(tunnelsOf(component, one)).toEqual([]);
});

test("a stack at its very beginning has nothing", () => {
  expect(readNetwork(JSON.stringify({ deployment: null }), [])).toEqual({ zones: [], tunnels: [] });
});

test("files with their hashes, as the node fetches them", () => {
  const files = [
    { name: "train.py", sha256: "ab", path: "~/train.py" },
    { name: "own.py", image: "/x/own.py" },
  ];
  const fetching = {
    urn: urn("crosszone:training:Training$command:remote:Command", "a-1-fetch"),
    type: "command:remote:Command",
    inputs: { stdin: JSON.stringify({ directory: "~", files }) },
  };
  expect(readFiles(stateOf([fetching]), "a-1")).toEqual([
    { name: "train.py", sha256: "ab" },
    { name: "own.py", sha256: undefined },
  ]);
  expect(readFiles(stateOf([fetching]), "b-1")).toEqual([]);
});
