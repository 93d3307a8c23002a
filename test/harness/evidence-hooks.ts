/** Set-up of the end-to-end tests: a failure keeps what its places noted, and names the folder. */
import { afterEach, beforeEach } from "vitest";
import { evidence, places, story } from "./place.ts";

story.hasBegun = false;

beforeEach(() => {
  story.hasBegun = true;
});

afterEach(({ task }) => {
  if (task.result?.state !== "fail" || places.size === 0) return;
  throw new Error(evidence([...places].map((place) => place.keep()).join(", ")));
});
