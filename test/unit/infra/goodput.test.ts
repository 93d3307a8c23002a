import { expect, test } from "vitest";
import { goodputShare, wireBytes } from "../../../infra/plan/goodput.ts";

test("a packet of 1400 bytes is a frame of 1486 through IPSec, one of 1472 bytes of 1514 through GRE", () => {
  // 1400 + 2 padded to 1408; 8 + 16 + 12 of ESP, 8 of UDP, 20 of IP, 14 of Ethernet.
  expect(wireBytes("ipsec", 1400)).toBe(1486);
  expect(wireBytes("gre", 1472)).toBe(1514);
});

test("of that TCP with time stamps carries 1348 and 1420 bytes", () => {
  expect(goodputShare("ipsec", 1400)).toBe(1348 / 1486);
  expect(goodputShare("gre", 1472)).toBe(1420 / 1514);
});
