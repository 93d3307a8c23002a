/** The mark and the joined routers that the stack has by its state: the program asks for them before anything is made. */
import { getStack, runtime } from "@pulumi/pulumi";
import resource from "@pulumi/pulumi/proto/resource_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import { z } from "zod";
import { digitsOf } from "../../provider/cloud/naming.ts";
import { logicalNameOf } from "../../provider/urn.ts";

export interface Made {
  /** Digits of the stack's mark; undefined before the first `up`. */
  readonly digits: string | undefined;
  /** Routers that zones have joined, with the zone's name. */
  readonly joined: ReadonlyMap<string, string>;
}

const mark = z.object({
  type: z.literal("qingcloud:state:StackMark"),
  outputs: z.object({ value: z.string() }),
});
const joinedRouter = z.object({
  type: z.literal("qingcloud:cloud:VpcEip"),
  outputs: z.object({ vpcId: z.string() }),
});
const answer = z.object({ outputs: z.record(z.string(), z.unknown()) });

/**
 * By the engine, which has the key to the state. Not by `invoke`: with `--debug` that logs the answer, which holds the state's
 * secrets in clear.
 * @throws Error where the state cannot be read
 */
export async function readMade(): Promise<Made> {
  const monitor = runtime.getMonitor();
  if (monitor === undefined) throw new Error("the program was started without Pulumi's engine");
  const request = new resource.ResourceInvokeRequest();
  request.setTok("pulumi:pulumi:readStackResourceOutputs");
  request.setArgs(struct.Struct.fromJavaScript({ stackName: getStack() }));
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  monitor.invoke(request, (error, response) => {
    if (error === null || error === undefined) resolve(response.getReturn()?.toJavaScript());
    else reject(error);
  });
  return madeIn(answer.parse(await promise).outputs);
}

/** @param resources by URN: type and outputs */
export function madeIn(resources: Readonly<Record<string, unknown>>): Made {
  let digits: string | undefined;
  const joined = new Map<string, string>();
  for (const [urn, each] of Object.entries(resources)) {
    digits ??= digitsOf(mark.safeParse(each).data?.outputs.value);
    const vpcId = joinedRouter.safeParse(each).data?.outputs.vpcId;
    if (vpcId !== undefined) joined.set(vpcId, logicalNameOf(urn).replace(/-router$/, ""));
  }
  return { digits, joined };
}
