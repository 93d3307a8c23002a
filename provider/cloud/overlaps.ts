/**
 * Networks that two resources of a run exchange, or that one takes when the other has left it: the cloud refuses (1101; 2110
 * of a GRE tunnel's own addresses) the one until the other has let go.
 */
import { abortableDelay } from "../../qingcloud/delay.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import type { Context } from "../resource.ts";
import { pauses } from "./waiting.ts";

/** Another resource of the same run lets go of its network within this. */
const overlapMs = 60_000;

/**
 * @param overlapping what has the network: names for messages; empty where the refusal has another reason
 * @throws QingCloudError, the last refusal
 */
export async function whileOverlapping<Result>(
  context: Context,
  act: () => Promise<Result>,
  overlapping: () => Promise<readonly string[]>,
  refusal: number = retCodes.invalidParameter,
): Promise<Result> {
  const started = Date.now();
  const pause = pauses();
  for (let isAlone = false; ; ) {
    try {
      return await act();
    } catch (error) {
      if (!hasRetCode(error, refusal)) throw error;
      const others = await overlapping();
      const next = pause.next().value;
      const isLate = Date.now() + next > Math.min(context.deadline, started + overlapMs);
      // It may have let go between the refusal and the look.
      if (isLate || (others.length === 0 && isAlone)) throw error;
      isAlone = others.length === 0;
      if (!isAlone) context.progress(`waiting for ${others.join(", ")} to let go of a network that overlaps`);
      await abortableDelay(next, context.signal);
    }
  }
}
