import { expect, test } from "vitest";
import { metricNames, selectMetrics } from "../../bench/metrics.ts";

test("without a name all metrics are meant but the long ones, which have to be named", () => {
  const long = metricNames.filter((name) => !selectMetrics([]).includes(name));
  expect(long).toHaveLength(40);
  expect(long).toEqual(selectMetrics(["link"]).filter((name) => !/\.(goodput|use)$/.test(name)));
});

test("a name means the whole metric or all that it is the first part of, in the order of the table", () => {
  expect(selectMetrics(["provider"])).toEqual([
    "provider.start.seconds",
    "provider.idle.megabytes",
    "provider.cancel.seconds",
  ]);
  expect(selectMetrics(["deploy.preview.seconds", "cloud.start", "deploy.preview"])).toEqual([
    "cloud.start.seconds",
    "deploy.preview.seconds",
  ]);
});

test("a part of a word means nothing: the error has what was given and all that there is", () => {
  expect(() => selectMetrics(["cloud", "prov", "link.ips"])).toThrow(
    `"prov", "link.ips": no such benchmark. There are:\n  ${metricNames.join("\n  ")}\nGive whole names, or their first parts, e.g. provider or deploy.up.`,
  );
});
