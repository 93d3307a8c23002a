/** What the statics of a router have in common: added, changed and deleted, then applied together. */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { ResponseOf } from "../../qingcloud/action.ts";
import {
  AddRouterStatics,
  DeleteRouterStatics,
  DescribeRouterStatics,
  DescribeRouters,
  DescribeRouterVxnets,
  ModifyRouterStaticAttributes,
} from "../../qingcloud/actions.ts";
import { type CallOptions, sentence } from "../../qingcloud/client.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import { overlaps } from "../../qingcloud/networks.ts";
import type { Change, Context, Created, Named } from "../resource.ts";
import { createOnce, type Limit, withQuota } from "./creating.ts";
import { adviceAbout, marked } from "./left-behind.ts";
import { listAll } from "./listing.ts";
import { type Names, named, namedAsRead, nameOutput, physicalName, sameName } from "./naming.ts";
import { whileOverlapping } from "./overlaps.ts";

export const staticInputs = { ...named, vpcId: z.string().describe("The VPC router.") };
export const staticOutputs = nameOutput;

/** `|` separates the values that the API packs into one. */
export const packed = z.string().regex(/^[^|]*$/, { error: "must not contain `|`" });
export const networks = z.array(z.cidrv4()).min(1);

export function split(value: string | null | undefined): string[] {
  return (value ?? "").split("|").filter((part) => part !== "");
}

export type Found = ResponseOf<typeof DescribeRouterStatics>["router_static_set"][number];

export interface Values {
  readonly val1: string;
  readonly val2?: string | undefined;
  readonly val3?: string | undefined;
  readonly val4?: string | undefined;
  readonly val5?: string | undefined;
  readonly val6?: string | undefined;
}

interface Owner extends Names {
  readonly zone: string;
  readonly vpcId: string;
}

interface State<Inputs> {
  readonly inputs: Inputs;
  readonly outputs: { readonly name: string };
}

export interface StaticKind<Inputs extends Owner> {
  /** For messages, e.g. `port forward`. */
  readonly what: string;
  /** By number, and the resource that each is; more than one where the input says which. */
  readonly types: readonly number[];
  typeOf(inputs: Inputs): number;
  /** Networks that the router reaches by it; absent where it is no tunnel. */
  targetsOf?(inputs: Inputs): readonly string[];
  /** The vxnet that the static is of, where it is of one. */
  vxnetOf?(inputs: Inputs): string | undefined;
  toValues(inputs: Inputs): Values;
  /** The values of which no two statics of a router may have the same. */
  readonly exclusive?: {
    isSame(inputs: Inputs, found: Found): boolean;
    /** The same static with ones that none of these has. */
    aside(inputs: Inputs, all: readonly Found[]): Inputs;
  };
  /** The inputs beside those of every static. */
  fromValues(found: Found, known: Inputs | undefined): Omit<Inputs, keyof Owner>;
}

/** The life cycle of a kind of static. */
export function lifeOfStatic<Inputs extends Owner>(kind: StaticKind<Inputs>) {
  return {
    deleteBeforeReplace: true,
    takesEffectLater: true,
    isSame: (property: string, state: State<Inputs>, news: Inputs, urn: string) =>
      sameName(property, state, news, urn),

    async search(context: Context, zone: string, word: string): Promise<Named[]> {
      const routers = await listAll(context, DescribeRouters, zone, {}, "router_set");
      const all = await Promise.all(
        routers
          .filter(({ status }) => status === "active" || status === "poweroffed")
          .map(({ router_id: id }) => present(context, zone, id)),
      );
      return all
        .flat()
        .filter(({ static_type: type }) => kind.types.includes(type))
        .map(({ router_static_id: id, router_static_name: name }) => ({ id, name: name ?? "" }))
        .filter(({ name }) => name.includes(word));
    },

    create: (context: Context, inputs: Inputs) => create(context, kind, inputs),

    async read(
      context: Context,
      id: string,
      known: State<Inputs> | undefined,
    ): Promise<(State<Inputs> & { readonly unapplied?: string }) | undefined> {
      const zone = known?.inputs.zone ?? context.importZone();
      const found = await describe(context, zone, known?.inputs.vpcId, id);
      if (found === undefined) return undefined;
      if (!kind.types.includes(found.static_type)) {
        throw new Error(
          `Router static ${id} is of type ${found.static_type}, a ${kind.what} is of type ${kind.types.join(" or ")}. Types: 1 PortForward, 6 GreTunnel, 7 IpsecTunnel, others RouterStatic.`,
        );
      }
      const name = found.router_static_name ?? "";
      const inputs = {
        ...namedAsRead(known?.inputs, zone, name),
        vpcId: found.router_id,
        ...kind.fromValues(found, known?.inputs),
      };
      const isApplied = await context.session.routerUpdates(zone, found.router_id).isApplied(context);
      return {
        inputs: inputs as Owner as Inputs,
        outputs: { name },
        ...(isApplied ? {} : { unapplied: "its router has changes that are not applied (UpdateRouters)" }),
      };
    },

    async update(
      context: Context,
      id: string,
      { olds, news, outputs }: Change<Inputs, State<Inputs>["outputs"]>,
    ) {
      const { session } = context;
      const name = physicalName(context.urn, news);
      const values = kind.toValues(news);
      const isChanged = !isDeepStrictEqual(values, kind.toValues(olds));
      const isRenamed = name !== outputs.name;
      if (isChanged || isRenamed) {
        const request = {
          router_static: id,
          ...(isRenamed ? { router_static_name: name } : {}),
          ...(isChanged ? values : {}),
        };
        const modify = (what: typeof request) =>
          session.call(ModifyRouterStaticAttributes, news.zone, what, context);
        const stepAside = async (aside: (inputs: Inputs) => Inputs) => {
          await modify({ router_static: id, ...kind.toValues(aside(olds)) });
        };
        await changing(context, kind, news, () => modify(request), { id, stepAside });
      }
      if (isChanged) await session.routerUpdates(news.zone, news.vpcId).apply(context);
      return { name };
    },

    delete: (context: Context, id: string, { inputs }: State<Inputs>) => remove(context, id, inputs),
  };
}

async function create<Inputs extends Owner>(
  context: Context,
  kind: StaticKind<Inputs>,
  inputs: Inputs,
): Promise<Created<{ name: string }>> {
  const { session } = context;
  const { zone, vpcId } = inputs;
  const name = physicalName(context.urn, inputs);
  const values = kind.toValues(inputs);
  const vxnet = kind.vxnetOf?.(inputs);
  const { id } = await createOnce(context, {
    what: `${kind.what} "${name}" of ${vpcId}`,
    names: inputs,
    find: async (patient) =>
      (await present(patient, zone, vpcId))
        .filter((found) => found.router_static_name === name)
        .map((found) => found.router_static_id),
    async create() {
      const statics = [{ static_type: kind.typeOf(inputs), router_static_name: name, ...values }];
      const request = { router: vpcId, ...(vxnet === undefined ? {} : { vxnet }), statics };
      const limit: Limit = {
        name: "max_router_statics",
        of: `VPC router ${vpcId}`,
        count: async () =>
          (await describeAll(context, zone, vpcId)).filter(
            ({ static_type }) => static_type === kind.typeOf(inputs),
          ).length + 1,
      };
      const add = (options: CallOptions) => session.call(AddRouterStatics, zone, request, options);
      const { router_statics: made } = await changing(context, kind, inputs, () =>
        withQuota(context, zone, {}, add, limit),
      );
      return made[0];
    },
  });
  const updates = session.routerUpdates(zone, vpcId);
  // What an interrupted run left may have been applied with its router meanwhile.
  await (context.halfMadeId === undefined ? updates.apply(context) : updates.applyPending(context));
  return { id, outputs: { name } };
}

/** Statics of a router are looked for at the same time: one look serves all of them. */
function present(context: Context, zone: string, vpcId: string): Promise<Found[]> {
  return context.session.shared(`statics of ${zone}/${vpcId}`, () => describeAll(context, zone, vpcId));
}

/** Does what gives a static its values; where another one has them, the error says what to do if that was left behind. */
async function changing<Inputs extends Owner, Result>(
  context: Context,
  kind: StaticKind<Inputs>,
  inputs: Inputs,
  act: () => Promise<Result>,
  changed?: Changed<Inputs>,
): Promise<Result> {
  try {
    return await whileFree(context, kind, inputs, () => whileTaken(context, kind, inputs, act, changed));
  } catch (error) {
    if (!hasRetCode(error, retCodes.alreadyExists)) throw error;
    const { val1, val4 } = kind.toValues(inputs);
    const inTheWay = (await describeAll(context, inputs.zone, inputs.vpcId)).filter(
      (found) =>
        kind.types.includes(found.static_type) &&
        (error.message.includes(found.router_static_id) || (found.val1 === val1 && found.val4 === val4)),
    );
    const named = inTheWay.map(({ router_static_id: id, router_static_name: name }) => ({
      id,
      name: name ?? "",
    }));
    const advice = adviceAbout(context, marked(inputs.mark, named));
    throw advice === "" ? error : new Error(`${sentence(error.message)}${advice}`, { cause: error });
  }
}

interface Changed<Inputs> {
  readonly id: string;
  stepAside(aside: (inputs: Inputs) => Inputs): Promise<void>;
}

/** @returns false where another one, which steps aside at the same time, was first */
async function unlessTaken(act: () => Promise<void>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    if (!hasRetCode(error, retCodes.alreadyExists)) throw error;
    return false;
  }
}

/** Another static of the stack lets go of what this one is to get: where each has what the other wants, both step aside first. */
function whileTaken<Inputs extends Owner, Result>(
  context: Context,
  { what, types, exclusive }: StaticKind<Inputs>,
  inputs: Inputs,
  act: () => Promise<Result>,
  changed: Changed<Inputs> | undefined,
): Promise<Result> {
  if (exclusive === undefined) return act();
  let isAside = false;
  const taking = async () => {
    const all = await describeAll(context, inputs.zone, inputs.vpcId);
    const others = all
      .filter((found) => found.router_static_id !== changed?.id && types.includes(found.static_type))
      .filter((found) => exclusive.isSame(inputs, found))
      .map(({ router_static_id: id, router_static_name: name }) => ({ id, name: name ?? "" }));
    const own = marked(inputs.mark, others);
    if (own.length > 0 && changed !== undefined && !isAside) {
      isAside = await unlessTaken(() => changed.stepAside((olds) => exclusive.aside(olds, all)));
    }
    return own.map(({ id }) => `${what} ${id}`);
  };
  return whileOverlapping(context, act, taking, retCodes.alreadyExists);
}

/** No tunnel reaches a network that its router has. */
function whileFree<Inputs extends Owner, Result>(
  context: Context,
  kind: StaticKind<Inputs>,
  inputs: Inputs,
  act: () => Promise<Result>,
): Promise<Result> {
  const targets = kind.targetsOf?.(inputs);
  if (targets === undefined) return act();
  const { zone, vpcId } = inputs;
  return whileOverlapping(context, act, async () => {
    const found = await listAll(context, DescribeRouterVxnets, zone, { router: vpcId }, "router_vxnet_set");
    return found
      .filter(({ ip_network: own }) => targets.some((target) => overlaps(own, target)))
      .map(({ vxnet_id, ip_network }) => `vxnet ${vxnet_id} (${ip_network})`);
  });
}

function describeAll(context: Context, zone: string, vpcId: string): Promise<Found[]> {
  return listAll(context, DescribeRouterStatics, zone, { router: vpcId }, "router_static_set");
}

/** Undefined where the static, or its router, is gone. */
async function describe(
  context: Context,
  zone: string,
  vpcId: string | undefined,
  id: string,
): Promise<Found | undefined> {
  const request = { router_statics: [id], ...(vpcId === undefined ? {} : { router: vpcId }) };
  const { router_static_set: found } = await context.session.call(
    DescribeRouterStatics,
    zone,
    request,
    context,
  );
  return found[0];
}

async function remove(context: Context, id: string, { zone, vpcId }: Owner): Promise<void> {
  const updates = context.session.routerUpdates(zone, vpcId);
  try {
    await context.session.call(DeleteRouterStatics, zone, { router_statics: [id] }, context);
  } catch (error) {
    if (!hasRetCode(error, retCodes.notFound)) throw error;
    // An interrupted run may have deleted it without applying that: until then it carries packets.
    return await updates.applyPending(context);
  }
  await updates.apply(context).catch((error: unknown) => {
    if (!hasRetCode(error, retCodes.notFound)) throw error;
  });
}
