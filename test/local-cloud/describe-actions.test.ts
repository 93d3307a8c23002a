/** What holds for every action, and for every Describe action: handlers, paging, filters. */
import { beforeAll, describe, expect, test } from "vitest";
import { accountId } from "../../local-cloud/services/account/account.ts";
import { handlers } from "../../local-cloud/services/handlers.ts";
import { actionsByName } from "../../qingcloud/actions.ts";
import { firstId, publicKey, type Reply } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

test("every action of the API has a handler, and every handler is of an action", () => {
  expect(Object.keys(handlers).sort()).toEqual([...actionsByName.keys()].sort());
});

interface Listing {
  readonly set: string;
  /** The parameter that filters by id, and the field that it is about. */
  readonly ids: readonly [parameter: string, field: string];
  /** Parameters that every call needs. */
  readonly needs?: () => Readonly<Record<string, string>>;
  /** The field with the name, where search_word looks. */
  readonly name?: string;
  readonly status?: string;
  /** The resource_type of its tags. */
  readonly tags?: string;
  /** The listing is this long by nature, not by what the test made. */
  readonly isFixed?: true;
}

const made = { vxnet: "", router: "", tunnel: "" };
const listings: Readonly<Record<string, Listing>> = {
  DescribeEips: eachWithStatus("eip", "available"),
  DescribeRouters: eachWithStatus("router", "active"),
  DescribeInstances: eachWithStatus("instance", "running"),
  DescribeVolumes: eachWithStatus("volume", "available"),
  DescribeVxnets: each("vxnet"),
  DescribeKeyPairs: each("keypair"),
  DescribeSecurityGroups: each("security_group"),
  DescribeTags: { set: "tag_set", ids: ["tags", "tag_id"], name: "tag_name" },
  DescribeRouterStatics: { set: "router_static_set", ids: ["router_statics", "router_static_id"] },
  DescribeRouterStaticEntries: {
    set: "router_static_entry_set",
    ids: ["router_static_entries", "router_static_entry_id"],
    needs: () => ({ router_static: made.tunnel }),
  },
  DescribeRouterVxnets: {
    set: "router_vxnet_set",
    ids: ["vxnet", "vxnet_id"],
    needs: () => ({ router: made.router }),
  },
  DescribeVxnetInstances: {
    set: "instance_set",
    ids: ["instances", "instance_id"],
    needs: () => ({ vxnet: made.vxnet }),
    status: "running",
  },
  DescribeSecurityGroupRules: {
    set: "security_group_rule_set",
    ids: ["security_group_rules", "security_group_rule_id"],
  },
  DescribeJobs: { set: "job_set", ids: ["jobs", "job_id"], status: "successful" },
  DescribeInstanceTypes: {
    set: "instance_type_set",
    ids: ["instance_types", "instance_type_id"],
    isFixed: true,
  },
  DescribeImages: {
    set: "image_set",
    ids: ["images", "image_id"],
    name: "image_name",
    status: "available",
    isFixed: true,
  },
};

function each(kind: string): Listing {
  return { set: `${kind}_set`, ids: [`${kind}s`, `${kind}_id`], name: `${kind}_name`, tags: kind };
}

function eachWithStatus(kind: string, status: string): Listing {
  return { ...each(kind), status };
}

/** These have no pages: there are few zones, and quotas are one object. */
const unpaged = ["DescribeZones", "DescribeQuotas"];
test("the table has every Describe action that has pages", () => {
  const described = [...actionsByName.keys()].filter((name) => name.startsWith("Describe"));
  expect(Object.keys(listings).sort()).toEqual(described.filter((name) => !unpaged.includes(name)).sort());
});

const many = 101;
const numbered = (name: string, count: number, of: (index: number) => Record<string, string>) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) =>
      Object.entries(of(index)).map(([field, value]) => [`${name}.${index + 1}.${field}`, value] as const),
    ).flat(),
  );

describe("with 101 resources of every kind", () => {
  const quota = "instance=200,eip=200,router=200,vxnet=300,volume=200,security_group=200,tag=200";
  const { client } = useTestCloud({ quota });
  beforeAll(async () => {
    await makeAll();
  }, 120_000);

  async function makeAll(): Promise<void> {
    const both = async (action: string, parameters: Record<string, string>) => {
      const isJob = "job_id" in (await client.ok(action, { ...parameters, count: "100" }));
      await (isJob ? client.done(action, parameters) : client.ok(action, parameters));
    };
    await both("AllocateEips", { bandwidth: "1", eip_name: "Many eips" });
    await both("CreateRouters", { vpc_network: "192.168.0.0/16", router_name: "Many routers" });
    await both("CreateVolumes", { size: "10", volume_name: "Many volumes" });
    await both("CreateVxnets", { vxnet_type: "1", vxnet_name: "Many vxnets" });
    for (let index = 0; index < many; index += 1) {
      await client.ok("CreateKeyPair", { mode: "user", public_key: publicKey, keypair_name: "Many keys" });
      await client.ok("CreateTag", { tag_name: `Many ${index}` });
      await client.ok("CreateSecurityGroup", { security_group_name: "Many groups" });
    }
    const { router_set } = await client.ok("DescribeRouters");
    made.router = String((router_set as Record<string, unknown>[])[0]?.router_id);
    const first = await client.ok("DescribeVxnets", { vxnet_type: "1", limit: "100" });
    const last = await client.ok("DescribeVxnets", { vxnet_type: "1", limit: "100", offset: "100" });
    const vxnets = [first, last].flatMap(({ vxnet_set }) => vxnet_set as { vxnet_id: string }[]);
    made.vxnet = vxnets[0]?.vxnet_id ?? "";
    for (const [index, { vxnet_id: vxnet }] of vxnets.entries()) {
      await client.done("JoinRouter", { router: made.router, vxnet, ip_network: `192.168.${index}.0/24` });
    }
    const keypair = await client.one("DescribeKeyPairs", "keypair_set", { limit: "1" });
    await both("RunInstances", {
      image_id: "img-bare",
      cpu: "1",
      memory: "1024",
      instance_name: "Many instances",
      login_mode: "keypair",
      login_keypair: String(keypair.keypair_id),
      "vxnets.1": made.vxnet,
    });
    for (const offset of [0, 60]) {
      const statics = numbered("statics", 60, (index) => ({
        static_type: "1",
        val1: String(1000 + offset + index),
        val2: "192.168.1.2",
        val3: "22",
      }));
      await client.ok("AddRouterStatics", { router: made.router, ...statics });
    }
    const tunnel = { static_type: "6", val1: "1.2.3.4|1|10.254.1.2|10.254.1.3", val2: "10.1.0.0/24" };
    made.tunnel = firstId(
      (
        await client.ok("AddRouterStatics", {
          router: made.router,
          ...numbered("statics", 1, () => tunnel),
        })
      ).router_statics,
    );
    const entries = numbered("entries", many, (index) => ({ val1: `10.2.${index}.0/24` }));
    await client.ok("AddRouterStaticEntries", { router_static: made.tunnel, ...entries });
    const { security_group_set } = await client.ok("DescribeSecurityGroups", { search_word: "many" });
    for (const { security_group_id } of (
      security_group_set as readonly { security_group_id: string }[]
    ).slice(0, 2)) {
      const rules = numbered("rules", 60, (index) => ({
        protocol: "tcp",
        priority: "1",
        val1: String(index + 1),
      }));
      await client.ok("AddSecurityGroupRules", { security_group: security_group_id, ...rules });
    }
    await client.ended(await lastJob());
  }

  async function lastJob(): Promise<string> {
    const { total_count } = await client.ok("DescribeJobs");
    const found = await client.one("DescribeJobs", "job_set", { offset: String(Number(total_count) - 1) });
    return String(found.job_id);
  }

  describe.each(Object.entries(listings))("%s", (action, listing) => {
    const [parameter, field] = listing.ids;
    const list = (more: Readonly<Record<string, string>> = {}) =>
      client.ok(action, { ...listing.needs?.(), ...more });
    const found = (reply: Reply) =>
      (reply[listing.set] as Record<string, unknown>[]).map((item) => String(item[field]));
    const all: string[] = [];
    beforeAll(async () => {
      for (let offset = 0, total = 1; offset < total; offset += 100) {
        const reply = await list({ limit: "100", offset: String(offset) });
        total = Number(reply.total_count);
        all.push(...found(reply));
      }
    });
    const first = listing.isFixed ? 0 : 7;
    const isOneOnly = parameter === "vxnet";
    const byIds = (...ids: string[]) =>
      isOneOnly
        ? { [parameter]: ids[0] ?? "" }
        : Object.fromEntries(ids.map((id, index) => [`${parameter}.${index + 1}`, id]));

    test("answers pages of 20, of limit up to 100, from offset on, and how many there are in all", async () => {
      expect(new Set(all).size).toBe(all.length);
      if (!listing.isFixed) expect(all.length).toBeGreaterThan(100);
      for (const [parameters, page] of [
        [{}, all.slice(0, 20)],
        [{ limit: "0" }, all.slice(0, 20)],
        [{ limit: "", offset: "" }, all.slice(0, 20)],
        [{ limit: "1000" }, all.slice(0, 100)],
        [{ limit: "3", offset: "1" }, all.slice(1, 4)],
        [{ offset: String(all.length) }, []],
      ] as const) {
        const reply = await list(parameters);
        expect(found(reply)).toEqual(page);
        expect(reply.total_count).toBe(all.length);
      }
    });

    test("refuses a page that is none", async () => {
      const needed = listing.needs?.() ?? {};
      expect(await client.call(action, { ...needed, offset: "-1" })).toEqual({
        ret_code: 1101,
        message: "InvalidParameterValue, parameter [offset] is [-1], allowed: 0 or more",
      });
      expect(await client.call(action, { ...needed, limit: "ten" })).toEqual({
        ret_code: 1100,
        message: "InvalidParameterFormat, parameter [limit] is [ten], must be an integer",
      });
    });

    test("finds by id, none for an unknown one", async () => {
      const [one = "", other = ""] = [all[first], all[first + 1]];
      const reply = await list(byIds(other, one, "x-unknown"));
      const expected = isOneOnly ? [other] : [one, other];
      expect(found(reply)).toEqual(expected);
      expect(reply.total_count).toBe(expected.length);
      expect(await list(byIds("x-unknown"))).toMatchObject({ total_count: 0, [listing.set]: [] });
    });

    if (listing.name) {
      test("search_word finds a part of the id or of the name", async () => {
        const one = all[first] ?? "";
        expect(found(await list({ search_word: one.slice(1) }))).toEqual([one]);
        const word = listing.isFixed ? "deep LEARNING" : "mANY";
        const reply = await list({ search_word: word });
        expect(reply.total_count).toBe(listing.isFixed ? 1 : many);
        for (const item of reply[listing.set] as Record<string, unknown>[]) {
          expect(String(item[listing.name ?? ""]).toLowerCase()).toContain(word.toLowerCase());
        }
        expect(await list({ search_word: "nothing like it" })).toMatchObject({ total_count: 0 });
      });
    }

    if (listing.status) {
      test("status finds what is in it", async () => {
        const inIt = await list({ "status.1": listing.status ?? "", limit: "100" });
        expect(inIt.total_count).toBe(all.length);
        const none = await list({ "status.1": action === "DescribeJobs" ? "failed" : "suspended" });
        expect(none).toMatchObject({ total_count: 0, [listing.set]: [] });
        expect(await client.call(action, { ...listing.needs?.(), "status.1": "nonsense" })).toMatchObject({
          ret_code: 1101,
          message: expect.stringMatching(
            /^InvalidParameterValue, parameter \[status\.1\] is \[nonsense\], allowed: /,
          ),
        });
      });
    }

    if (listing.tags) {
      test("tags finds what has one of them", async () => {
        const tag = String(
          (await client.ok("CreateTag", { tag_name: `of ${listing.tags}`.slice(0, 14) })).tag_id,
        );
        const tagged = all.slice(first, first + 2);
        const pairs = numbered("resource_tag_pairs", tagged.length, (index) => ({
          tag_id: tag,
          resource_type: listing.tags ?? "",
          resource_id: tagged[index] ?? "",
        }));
        await client.ok("AttachTags", pairs);
        expect(found(await list({ "tags.1": "tag-unknown", "tags.2": tag }))).toEqual(tagged);
        await client.ok("DeleteTags", { "tags.1": tag });
        expect(await list({ "tags.1": tag })).toMatchObject({ total_count: 0 });
      });
    }

    if ("owner" in (actionsByName.get(action)?.request.shape ?? {})) {
      test("the account is the owner of everything, another of nothing", async () => {
        if (!listing.isFixed) expect((await list({ owner: accountId })).total_count).toBe(all.length);
        expect(await list({ owner: "usr-another0" })).toMatchObject({ total_count: 0 });
      });
    }
  });
});
