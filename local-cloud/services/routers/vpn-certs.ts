/** GetVPNCerts: what a client of a router's OpenVPN needs; made at the first call and the same ever after. */
import { type KeyObject, randomBytes } from "node:crypto";
import type * as actions from "../../../qingcloud/actions.ts";
import type { Router, VpnCertificates } from "../../store/resources.ts";
import { type Context, type Handler, type Handlers, need, type ZoneState } from "../context.ts";
import { denied } from "../errors.ts";
import { makeAuthority, makeClient } from "./x509.ts";

const getVPNCerts: Handler<typeof actions.GetVPNCerts> = (request, context) => {
  const router = need(context, "router", request.router);
  if (router.status === "pending") {
    throw denied(`router [${router.id}] is ${router.transition}, it has no certificates`);
  }
  const { authority, client, clientKey, staticKey } = router.vpnCertificates ?? make(context, router);
  return {
    router_id: router.id,
    platform: request.platform,
    ca_cert: authority,
    client_crt: client,
    client_key: clientKey,
    static_key: staticKey,
    linux_conf_sample: sample(context, router, "linux"),
    windows_conf_sample: sample(context, router, "windows"),
    mac_conf_sample: sample(context, router, "mac"),
  };
};

function make(context: Context, router: Router): VpnCertificates {
  const authority = makeAuthority(`${router.id} CA`, context.now);
  const client = makeClient(`${router.id} client`, authority, context.now);
  const vpnCertificates: VpnCertificates = {
    authority: authority.certificate,
    authorityKey: toPem(authority.privateKey),
    client: client.certificate,
    clientKey: toPem(client.privateKey),
    staticKey: makeStaticKey(),
  };
  context.store.transaction(() => context.store.put({ ...router, vpnCertificates }));
  return vpnCertificates;
}

function toPem(key: KeyObject): string {
  return String(key.export({ type: "pkcs8", format: "pem" }));
}

/** 2048 bits in the form of `openvpn --genkey`. */
function makeStaticKey(): string {
  const lines = randomBytes(256).toString("hex").match(/.{32}/g) ?? [];
  return ["-----BEGIN OpenVPN Static key V1-----", ...lines, "-----END OpenVPN Static key V1-----", ""].join(
    "\n",
  );
}

/** A client's configuration, for the router's first OpenVPN static or the values that one has by default. */
function sample(state: ZoneState, router: Router, platform: "linux" | "windows" | "mac"): string {
  const vpn = state.store
    .list("router_static", state.zone)
    .find((item) => item.routerId === router.id && item.staticType === 2 && item.values.val1 === "openvpn");
  const { val2: port = "1194", val3: protocol = "udp" } = vpn?.values ?? {};
  const eip = router.eipId === undefined ? undefined : state.store.get("eip", state.zone, router.eipId);
  const lines = [
    "client",
    "dev tun",
    `proto ${protocol}`,
    `remote ${eip?.address ?? "EIP_OF_THE_ROUTER"} ${port}`,
    "resolv-retry infinite",
    "nobind",
    "persist-key",
    "persist-tun",
    "ca ca.crt",
    "cert client.crt",
    "key client.key",
    "tls-auth static.key 1",
    "remote-cert-tls server",
    "verb 3",
  ];
  return `${lines.join(platform === "windows" ? "\r\n" : "\n")}\n`;
}

export const vpnCertsHandlers = { GetVPNCerts: getVPNCerts } satisfies Partial<Handlers>;
