import { expect, test } from "vitest";
import { followUpsOf } from "../../bench/interrupts/matrix.ts";
import { sampleOf } from "../../bench/interrupts/sample.ts";

test("a sample of the matrix has as many cells as are asked for, whatever its seed", () => {
  for (let seed = 0; seed < 100; seed++)
    expect(sampleOf(seed, 24).flatMap((trial) => followUpsOf(trial))).toHaveLength(24);
});
