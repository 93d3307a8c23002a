import { setTimeout as sleep } from "node:timers/promises";
import { Server } from "@grpc/grpc-js";
import engineService from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import type engineMessages from "@pulumi/pulumi/proto/engine_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { afterEach, expect, test } from "vitest";
import { connectEngine } from "../../../toolchain/command/engine.ts";
import { listen } from "../../harness/grpc.ts";

const engines: Server[] = [];
afterEach(() => {
  for (const engine of engines.splice(0)) engine.forceShutdown();
});

/** An engine that takes a line when `take` says so. @returns its address and what it has taken */
async function startEngine(take: (line: string) => Promise<void>) {
  const taken: string[] = [];
  const engine = new Server();
  engines.push(engine);
  engine.addService(engineService.EngineService, {
    async log(
      { request }: { request: engineMessages.LogRequest },
      answer: (error: null, response: empty.Empty) => void,
    ) {
      await take(request.getMessage());
      taken.push(request.getMessage());
      answer(null, new empty.Empty());
    },
  });
  const port = await listen(engine);
  return { address: `127.0.0.1:${port}`, taken };
}

const lines = Array.from({ length: 40 }, (_, index) => `line ${index}`);

test("an engine that takes lines slowly gets all of them, however long it takes", async () => {
  // In sum longer than the patience, each far shorter.
  const { address, taken } = await startEngine(() => sleep(25));
  const log = connectEngine(address, 900)("urn");
  for (const line of lines) log.line(line);
  await log.flush();
  expect(taken).toEqual(lines);
});

test("an engine that takes no more lines is not waited for", async () => {
  const { address, taken } = await startEngine((line) =>
    line === "line 3" ? new Promise(() => {}) : sleep(0),
  );
  const log = connectEngine(address, 300)("urn");
  for (const line of lines) log.line(line);
  await log.flush();
  expect(taken).toEqual(lines.slice(0, 3));
});
