/** What a router static may be beside the others of its router. */
import type { RouterStatic, StaticValues } from "../../../store/resources.ts";
import { isInside, overlap, parseAddress, parseNetwork } from "../../addresses.ts";
import { need, unfinishedWork, type ZoneState } from "../../context.ts";
import { alreadyExists, badValue, denied, notFound, secret } from "../../errors.ts";
import { checkDhcp, checkHost } from "../../vxnets/dhcp-and-dns.ts";
import {
  type NamedRange,
  readGre,
  readIpsec,
  readPort,
  readPortForward,
  required,
  targetNetworks,
} from "./values.ts";

type Candidate = Pick<RouterStatic, "id" | "routerId" | "staticType" | "values">;

/** Values that the API fills in. */
export function withDefaults(staticType: number, values: StaticValues): StaticValues {
  if (staticType === 1) return { ...values, val4: values.val4 ?? "tcp" };
  if (staticType === 7) return { ...values, val4: values.val4 ?? "main" };
  return values;
}

/** @param prefix what parameter names start with, e.g. `statics.1.` */
export function checkStatic(state: ZoneState, candidate: Candidate, prefix: string): void {
  const { values } = candidate;
  switch (candidate.staticType) {
    case 1:
      checkPortForward(state, candidate, prefix);
      return;
    case 2: {
      const kind = required(values, "val1", prefix);
      if (!["openvpn", "pptp", "l2tp"].includes(kind)) {
        throw badValue(`${prefix}val1`, secret, "openvpn, pptp, l2tp");
      }
      if (kind === "openvpn" && values.val2 !== undefined) readPort(values.val2, `${prefix}val2`);
      return;
    }
    case 3:
      needInstance(state, required(values, "val1", prefix));
      required(values, "val2", prefix);
      checkDhcp(state, candidate, prefix);
      return;
    case 4:
      required(values, "val1", prefix);
      return;
    case 5:
      throw denied(`router [${candidate.routerId}] is a VPC, statics of type 5 can not be added`);
    case 6:
      checkGre(state, candidate, prefix);
      checkTargets(state, candidate.routerId, targetNetworks(candidate), `${prefix}val2`);
      return;
    case 7:
      readIpsec(values, prefix);
      checkTargets(state, candidate.routerId, targetNetworks(candidate), `${prefix}val3`);
      return;
    default:
      checkDns(values, prefix);
  }
}

function others(state: ZoneState, candidate: Candidate): RouterStatic[] {
  return state.store
    .list("router_static", state.zone)
    .filter(
      (item) =>
        item.routerId === candidate.routerId &&
        item.id !== candidate.id &&
        item.staticType === candidate.staticType,
    );
}

function checkPortForward(state: ZoneState, candidate: Candidate, prefix: string): void {
  const forward = readPortForward(candidate.values, prefix);
  const { vpcNetwork } = need(state, "router", candidate.routerId);
  const vpc = parseNetwork(vpcNetwork);
  if (vpc === undefined || !isInside(vpc, parseAddress(forward.targetAddress) ?? -1)) {
    throw badValue(`${prefix}val2`, forward.targetAddress, `an address inside [${vpcNetwork}]`);
  }
  for (const other of others(state, candidate)) {
    const taken = readPortForward(other.values, "");
    if (taken.port === forward.port && taken.protocol === forward.protocol) {
      throw alreadyExists(
        `router static [${other.id}] forwards ${taken.protocol} port [${taken.port}] of router [${candidate.routerId}]`,
      );
    }
  }
}

/** The subnet of a tunnel's own addresses, a /24 as in the documentation's example. */
function subnetOf(address: string): string {
  return address.replace(/\.\d+$/, ".0/24");
}

function checkGre(state: ZoneState, candidate: Candidate, prefix: string): void {
  const tunnel = readGre(candidate.values, prefix);
  for (const other of others(state, candidate)) {
    const subnet = subnetOf(readGre(other.values, "").localAddress);
    if (subnet === subnetOf(tunnel.localAddress)) {
      throw alreadyExists(
        `router static [${other.id}] of router [${other.routerId}] has its p2p addresses in subnet [${subnet}]`,
      );
    }
  }
}

/** A tunnel can not reach a network that is one of the router's own vxnets. */
export function checkTargets(
  state: ZoneState,
  routerId: string,
  targets: readonly NamedRange[],
  parameter: string,
): void {
  const joining = unfinishedWork(state).flatMap((work) =>
    work.action === "JoinRouter" ? [{ id: work.vxnet, join: work.join }] : [],
  );
  for (const { text, range } of targets) {
    for (const { id, join } of [...state.store.list("vxnet", state.zone), ...joining]) {
      const own = join?.routerId === routerId ? parseNetwork(join.network) : undefined;
      if (own !== undefined && overlap(own, range)) {
        throw badValue(
          parameter,
          text,
          `networks that do not overlap [${join?.network}] of vxnet [${id}] in router [${routerId}]`,
        );
      }
    }
  }
}

/** What is no id may be a secret of another type of static: it is not repeated. */
function needInstance(state: ZoneState, id: string): void {
  if (!/^i-[a-z0-9]{1,16}$/.test(id)) throw notFound("instance", secret);
  need(state, "instance", id);
}

function checkDns(values: StaticValues, prefix: string): void {
  required(values, "val1", prefix);
  checkHost(values, prefix);
  for (const address of required(values, "val2", prefix).split(";")) {
    if (parseAddress(address) === undefined) {
      throw badValue(
        `${prefix}val2`,
        /^[\d.]+$/.test(address) ? address : secret,
        "IPv4 addresses joined by ;",
      );
    }
  }
}
