import { afterAll, beforeAll } from "vitest";
import { startTestCloud, TestClient, type TestCloud, type TestCloudOptions } from "./support.ts";

/** One cloud for all tests of a file or of a describe block. It and its client are there for hooks and tests, not before. */
export function useTestCloud(options: TestCloudOptions = {}): TestCloud {
  let started: TestCloud | undefined;
  const cloud = (): TestCloud => {
    if (started === undefined)
      throw new Error("the test's cloud has not started: use it in a hook or a test");
    return started;
  };
  beforeAll(async () => {
    started = await startTestCloud(options);
  });
  afterAll(() => started?.stop());
  const client = new TestClient({
    get qy_access_key_id() {
      return cloud().client.keys.qy_access_key_id;
    },
    get qy_secret_access_key() {
      return cloud().client.keys.qy_secret_access_key;
    },
    get port() {
      return cloud().client.keys.port;
    },
  });
  return {
    client,
    get home() {
      return cloud().home;
    },
    get logged() {
      return cloud().logged;
    },
    fault: (request) => cloud().fault(request),
    faults: () => cloud().faults(),
    clearFaults: (id) => cloud().clearFaults(id),
    status: () => cloud().status(),
    stop: () => cloud().stop(),
  };
}
