/** A capture of what passes a router's uplink. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

export interface Counts {
  readonly packets: number;
  /** Packets with a private source or destination, outside a tunnel. */
  readonly clear: number;
  readonly esp: number;
  readonly esp_bytes: number;
  readonly ike: number;
  readonly other: number;
  /** Packets that the kernel could not hand over. */
  readonly dropped: number;
  readonly examples: readonly string[];
}

/** Starts to count; it sees every packet from the moment on at which this returns. */
export async function startCapture(namespace: string, device: string): Promise<{ stop(): Promise<Counts> }> {
  const program = ["/usr/bin/python3", join(import.meta.dirname, "capture.py"), device];
  const child = spawn("ip", ["netns", "exec", namespace, ...program], { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = once(child, "close");
  await Promise.race([once(child.stdout, "data"), ended]);
  if (!stdout.startsWith("listening"))
    throw new Error(`the capture in ${namespace} did not start: ${stderr}`);
  return {
    async stop() {
      child.kill("SIGTERM");
      await ended;
      return JSON.parse(stdout.split("\n")[1] ?? "") as Counts;
    },
  };
}
