/** The limit of a stack's costs. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { ranksStarted } from "../harness/outputs.ts";
import { Place } from "../harness/place.ts";

let place: Place;

beforeAll(async () => {
  place = new Place();
  await place.cloudOk("start", "--port", "0");
});

afterAll(() => place.remove());

test("what costs more than limits.costPerHour fails with every price, before a rank is started", async () => {
  place.configure({ "limits.costPerHour": 0.05 });
  const { code, text } = await place.start();
  expect(code, text).not.toBe(0);
  expect(text).toMatch(
    /error: The stack costs 0\.1 CNY an hour, more than crosszone:limits\.costPerHour allows \(given: 0\.05\): rtr-\w+ \(gpu1a\) 0\.05, rtr-\w+ \(gpu2a\) 0\.05\. What has been made is kept, and no rank is started\./,
  );
  // Only of routers the API tells a price.
  expect(text).toMatch(
    /limits\.costPerHour leaves out what the API tells no price of: eip-\w+, i-\w+, eip-\w+, i-\w+/,
  );
  expect(ranksStarted(place)).toEqual([]);
});
