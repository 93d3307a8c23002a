import { defineConfig } from "vitest/config";

/** Node imports TypeScript itself, in less time than vite takes to transform it. */
const inNode = { experimental: { viteModuleRunner: false } };

/** Files that put another module in the place of one need vite's imports. */
const inVite = { experimental: { viteModuleRunner: true } };

/**
 * Rooms of tests that share the machine's two cores with real network stacks and processes run one file at a time, and
 * what they wait for may take its time there.
 */
const oneByOne = {
  ...inNode,
  isolate: false,
  fileParallelism: false,
  testTimeout: 60_000,
  hookTimeout: 120_000,
  expect: { poll: { timeout: 20_000 } },
};

const wholeStacks = {
  ...oneByOne,
  setupFiles: ["test/harness/evidence-hooks.ts"],
  testTimeout: 300_000,
  hookTimeout: 300_000,
};

/** Resources one by one, without the CLI. */
const ofProvider = ["test/integration/conformance/**/*.test.ts", "test/integration/resilience/**/*.test.ts"];

/** Long stories on one stack each. */
const stories = ["two-zones", "shapes"];

/** Files with claims about round trips, rates and times, which hold where nothing else takes the processors. */
const rates = [
  "test/network/links.test.ts",
  "test/network/two-zones.test.ts",
  "test/train/path-check.test.ts",
];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          ...inNode,
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "local-cloud",
          include: ["test/local-cloud/**/*.test.ts"],
          ...oneByOne,
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts", "test/command/**/*.test.ts"],
          exclude: ofProvider,
          ...oneByOne,
          ...inVite,
        },
      },
      { test: { name: "provider", include: ofProvider, ...oneByOne, ...inVite } },
      { test: { name: "setup", include: ["test/setup/**/*.test.ts"], ...oneByOne } },
      {
        test: {
          name: "train",
          include: ["test/train/**/*.test.ts"],
          exclude: rates,
          ...oneByOne,
          // Asking how a rank is takes a process.
          expect: { poll: { ...oneByOne.expect.poll, interval: 250 } },
        },
      },
      { test: { name: "network", include: ["test/network/**/*.test.ts"], exclude: rates, ...oneByOne } },
      {
        test: {
          name: "rates",
          include: rates,
          ...wholeStacks,
          fileParallelism: true,
          maxWorkers: rates.length,
        },
      },
      ...stories.map((name) => ({ test: { name, include: [`test/e2e/${name}.test.ts`], ...wholeStacks } })),
      { test: { name: "long", include: ["test/long/**/*.test.ts"], ...wholeStacks } },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          exclude: stories.map((name) => `test/e2e/${name}.test.ts`),
          ...wholeStacks,
        },
      },
    ],
  },
});
