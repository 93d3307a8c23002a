import { z } from "zod";
import { action, int, text } from "../action.ts";

/** Seconds of each step that data can be asked for in. The documentation names 5m, 15m, 2h and 1d, the Python SDK the others. */
export const monitorSteps = {
  "5m": 300,
  "15m": 900,
  "30m": 1800,
  "1h": 3600,
  "2h": 7200,
  "1d": 86_400,
} as const;

/**
 * What a resource has used and carried. Data is compressed: `[epoch, value]` first, then a value for each step,
 * `[seconds, value]` where more than a step lies between, `"NA"` where there is no value.
 */
export const GetMonitor = action(
  "GetMonitor",
  {
    /** An instance, an EIP or a router. */
    resource: text,
    meters: z.array(text).min(1),
    step: z.enum(["5m", "15m", "30m", "1h", "2h", "1d"]),
    /** UTC, e.g. 2011-07-11T11:07:00Z or 2011-07-11T11:07:00.520Z. */
    start_time: text,
    end_time: text,
  },
  {
    resource_id: text,
    meter_set: z.array(
      z.looseObject({
        meter_id: text,
        data: z.array(z.unknown()),
        vxnet_id: text.nullish(),
        sequence: int.nullish(),
      }),
    ),
  },
);
