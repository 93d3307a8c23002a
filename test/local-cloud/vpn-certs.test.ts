import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { firstId, makeNetwork, type Reply, startTestCloud } from "./support.ts";

test("a router's certificates are X.509 of its own authority, and stay the same over a restart", async () => {
  const home = mkdtempSync(join(tmpdir(), "vpn-certs-"));
  const first = await startTestCloud({ home });
  const { router, eip } = await makeNetwork(first.client);
  const other = firstId(
    (await first.client.done("CreateRouters", { vpc_network: "192.168.0.0/16" })).routers,
  );
  const made = await first.client.ok("GetVPNCerts", { router });
  const { eip_addr } = await first.client.one("DescribeEips", "eip_set", { "eips.1": eip });
  check(made, router);
  expect(made).toMatchObject({
    router_id: router,
    platform: "linux",
    linux_conf_sample: expect.stringContaining(`proto udp\nremote ${eip_addr} 1194\n`),
    windows_conf_sample: expect.stringContaining(`proto udp\r\nremote ${eip_addr} 1194\r\n`),
  });
  expect(made.static_key).toMatch(
    /^-----BEGIN OpenVPN Static key V1-----\n([0-9a-f]{32}\n){16}-----END OpenVPN Static key V1-----\n$/,
  );
  expect((await first.client.ok("GetVPNCerts", { router: other })).ca_cert).not.toBe(made.ca_cert);
  expect(readFileSync(join(home, "calls.jsonl"), "utf8")).not.toContain("PRIVATE KEY");
  await first.stop();
  const second = await startTestCloud({ home });
  const openvpn = { "statics.1.static_type": "2", "statics.1.val1": "openvpn", "statics.1.val2": "1195" };
  await second.client.ok("AddRouterStatics", { router, ...openvpn, "statics.1.val3": "tcp" });
  expect(await second.client.ok("GetVPNCerts", { router, platform: "mac" })).toEqual({
    ...made,
    platform: "mac",
    linux_conf_sample: expect.stringContaining(`proto tcp\nremote ${eip_addr} 1195\n`),
    windows_conf_sample: expect.any(String),
    mac_conf_sample: expect.any(String),
  });
  expect(await second.client.call("GetVPNCerts", { router, platform: "bsd" })).toEqual({
    ret_code: 1101,
    message: "InvalidParameterValue, parameter [platform] is [bsd], allowed: linux, windows, mac",
  });
  expect(await second.client.call("GetVPNCerts", { router: "rtr-none0000" })).toEqual({
    ret_code: 2100,
    message: "ResourceNotFound, router [rtr-none0000] does not exist",
  });
  await second.stop();
  rmSync(home, { recursive: true });
});

function check({ ca_cert, client_crt, client_key }: Reply, router: string): void {
  const authority = new X509Certificate(String(ca_cert));
  const client = new X509Certificate(String(client_crt));
  expect([authority.ca, client.ca]).toEqual([true, false]);
  expect([authority.subject, client.subject]).toEqual([`CN=${router} CA`, `CN=${router} client`]);
  expect(authority.verify(authority.publicKey)).toBe(true);
  expect(client.checkIssued(authority) && client.verify(authority.publicKey)).toBe(true);
  expect(client.checkPrivateKey(createPrivateKey(String(client_key)))).toBe(true);
  expect(client.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
  const days = (Date.parse(client.validTo) - Date.now()) / 86_400_000;
  expect(Math.round(days / 365.25)).toBe(10);
  // OpenSSL's own judgement, which is OpenVPN's.
  const folder = mkdtempSync(join(tmpdir(), "vpn-certs-"));
  writeFileSync(join(folder, "ca.crt"), String(ca_cert));
  writeFileSync(join(folder, "client.crt"), String(client_crt));
  const argv = ["verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", "ca.crt", "client.crt"];
  expect(execFileSync("openssl", argv, { cwd: folder, encoding: "utf8" })).toBe("client.crt: OK\n");
  rmSync(folder, { recursive: true });
}
