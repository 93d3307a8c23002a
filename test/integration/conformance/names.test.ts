/** Names: every resource that has one is looked up by it, and one that is given must be free. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { definitions } from "../../../provider/definitions.ts";
import { publicKeyBody } from "../../local-cloud/support.ts";
import { urnOf } from "../plugin.ts";
import { defined, type Entry, zone } from "./entry.ts";
import { userData } from "./instances-by-size.ts";
import { Life } from "./life.ts";
import { staticSecrets } from "./statics.ts";
import { entries } from "./table.ts";
import { tunnelSecrets } from "./tunnels.ts";

interface Naming {
  /** What the messages call it. */
  readonly what: string;
  /** How a client renames it: action, parameter of the id, parameter of the name. */
  readonly rename: readonly [action: string, id: string, name: string];
  /** What another one beside the table's first has to have. */
  readonly beside?: object;
}

const ofStatics = ["ModifyRouterStaticAttributes", "router_static", "router_static_name"] as const;
const namings: Readonly<Record<string, Naming>> = {
  "cloud:Eip": { what: "EIP", rename: ["ModifyEipAttributes", "eip", "eip_name"] },
  "cloud:SecurityGroup": {
    what: "security group",
    rename: ["ModifySecurityGroupAttributes", "security_group", "security_group_name"],
  },
  "cloud:SecurityGroupRule": {
    what: "rule",
    rename: ["ModifySecurityGroupRuleAttributes", "security_group_rule", "security_group_rule_name"],
    beside: { fromPort: 2202 },
  },
  "cloud:KeyPair": { what: "key pair", rename: ["ModifyKeyPairAttributes", "keypair", "keypair_name"] },
  "cloud:Vpc": {
    what: "VPC router",
    rename: ["ModifyRouterAttributes", "router", "router_name"],
    beside: { vpcNetwork: "172.17.0.0/16", eipId: undefined },
  },
  "cloud:Vxnet": {
    what: "vxnet",
    rename: ["ModifyVxnetAttributes", "vxnet", "vxnet_name"],
    beside: { ipNetwork: "192.168.99.0/24" },
  },
  "cloud:PortForward": { what: "port forward", rename: ofStatics, beside: { sourcePort: 2299 } },
  "cloud:IpsecTunnel": { what: "IPSec tunnel", rename: ofStatics },
  "cloud:GreTunnel": {
    what: "GRE tunnel",
    rename: ofStatics,
    beside: { localAddress: "10.254.9.2", peerAddress: "10.254.9.3" },
  },
  "cloud:RouterStatic": { what: "router static", rename: ofStatics },
  "cloud:Instance": {
    what: "instance",
    rename: ["ModifyInstanceAttributes", "instance", "instance_name"],
    beside: { instanceType: "c1m1", privateIp: "192.168.1.99", volumeIds: undefined },
  },
  "cloud:Volume": { what: "volume", rename: ["ModifyVolumeAttributes", "volume", "volume_name"] },
  "cloud:Tag": { what: "tag", rename: ["ModifyTagAttributes", "tag", "tag_name"] },
};

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

let life: Life;
beforeAll(async () => {
  life = await Life.start();
  for (const each of entries) await life.create(each);
});
afterAll(() => life?.stop());

const withNames = entries.filter(({ type }) => type in namings);
/** The first of each type. */
const firsts = Object.keys(namings).map((type) => {
  const entry = withNames.find((each) => each.type === type);
  if (entry === undefined) throw new Error(`the table has no ${type}`);
  return entry;
});
const namingOf = ({ type }: Entry): Naming => {
  const naming = namings[type];
  if (naming === undefined) throw new Error(`${type} has no name`);
  return naming;
};
const kindOf = ({ type }: Entry) => type.replace("cloud:", "");
const title = "$type $name";

const lookUp = (entry: Entry, args: object) =>
  life.plugin.invoke(`qingcloud:cloud:get${kindOf(entry)}`, { zone, ...args });
/** Another resource of the entry's type. */
const createBeside = (entry: Entry, more: object = {}) => {
  const inputs = { ...entry.inputs(life.id), ...namingOf(entry).beside, ...more };
  return life.plugin.create(urnOf(entry.type, "beside"), defined(inputs));
};

test("every resource that can be looked up has its names tried here", () => {
  const named = definitions.filter(({ search }) => search !== undefined).map(({ type }) => type);
  expect(named.sort()).toEqual(
    Object.keys(namings)
      .map((type) => `qingcloud:${type}`)
      .sort(),
  );
});

describe("a lookup", () => {
  test.each(withNames)(
    `${title}: by id and by exact name answers inputs and outputs without secrets`,
    async (each) => {
      const { id, inputs } = life.of(each.name);
      const found = each.imported === "nothing" ? undefined : each.imported;
      const secrets = Object.fromEntries((each.secrets ?? []).map((name) => [name, undefined]));
      const state = { ...defined({ ...inputs, ...found?.finds(life.id) }), ...each.outputs(life.id) };
      const expected = defined({ ...state, ...secrets, id });
      let answers: unknown[] = [];
      const changes = await life.changesBy(async () => {
        answers = [await lookUp(each, { id }), await lookUp(each, { name: each.name })];
      });
      expect(answers).toEqual([expected, expected]);
      expect(changes).toEqual([]);
      const told = JSON.stringify(answers);
      for (const secret of [...staticSecrets, ...tunnelSecrets, userData]) expect(told).not.toContain(secret);
    },
  );

  test.each(firsts)("$type: of an id, or a name, that nothing has says so, and where", async (each) => {
    const id = life.of(each.name).id.replace(/-.*/, "-00000000");
    await expect(lookUp(each, { id })).rejects.toThrow(
      `There is no ${kindOf(each)} "${id}" in zone ${zone} of this account. Correct the id or the zone; the console shows both.`,
    );
    // The beginning of a name is none.
    const name = each.name.slice(0, -1);
    await expect(lookUp(each, { name })).rejects.toThrow(
      `There is no ${kindOf(each)} named "${name}" in zone ${zone} of this account. Names are exact; where there are several, give the id.`,
    );
  });

  test.each(firsts)(
    "$type: by neither or both of id and name is refused with what was given",
    async (each) => {
      await expect(lookUp(each, {})).rejects.toThrow(
        `get${kindOf(each)}: give either id or name (given: {}).`,
      );
      await expect(lookUp(each, { id: "a", name: "b" })).rejects.toThrow(
        `get${kindOf(each)}: give either id or name (given: {"id":"a","name":"b"}).`,
      );
    },
  );

  test.each(firsts)("$type: of a name that two have tells both ids", async (each) => {
    const name = each.type === "cloud:Tag" ? "unlike" : "beside";
    const other = await createBeside(each, { name });
    try {
      const [action, id, nameParameter] = namingOf(each).rename;
      const renamed = await life.cloud.client.call(action, { [id]: other.id, [nameParameter]: each.name });
      if (each.type === "cloud:Tag") {
        // Its names are unique: there can not be two.
        expect(renamed.ret_code).toBe(2110);
        return;
      }
      expect(renamed.ret_code).toBe(0);
      const ids = [life.of(each.name).id, other.id];
      const error: unknown = await lookUp(each, { name: each.name }).catch((reason: unknown) => reason);
      for (const told of ids) expect((error as Error).message).toContain(told);
      expect((error as Error).message).toMatch(
        new RegExp(
          `^There are 2 \\(\\S+, \\S+\\), not one ${kindOf(each)} named "${each.name}" in zone ${zone}`,
        ),
      );
    } finally {
      await life.plugin.delete(other);
    }
  });
});

describe("a given name that exists", () => {
  test.each(firsts)("$type: is refused with the id that has it, and nothing is made", async (each) => {
    const { id } = life.of(each.name);
    const before = await life.inventory();
    const changes = await life.acceptedChangesBy(async () => {
      const error: unknown = await createBeside(each).catch((reason: unknown) => reason);
      const { message } = error as Error;
      expect(message).toContain(`${namingOf(each).what} "${each.name}"`);
      expect(message).toContain(
        `exists already (${id}), made by somebody else or to be replaced by this one. Give another name or none, take it over by \`pulumi import\`, or, if this stack has it under another URN, name that in an alias.`,
      );
    });
    expect(changes).toEqual([]);
    expect(await life.inventory()).toEqual(before);
  });

  test("cloud:KeyPair: is taken where the key is another one, which lives beside the old one while it is replaced", async () => {
    const [each] = firsts.filter(({ type }) => type === "cloud:KeyPair");
    if (each === undefined) throw new Error("the table has no key pair");
    const publicKey = `ssh-ed25519 ${publicKeyBody.slice(0, -4)}CCCC`;
    const other = await createBeside(each, { publicKey });
    expect(other.id).not.toBe(life.of(each.name).id);
    await life.plugin.delete(other);
  });
});
