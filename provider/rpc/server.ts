/** What every plugin process does: serve one gRPC service on loopback, say its port, and end at once when told. */
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { messageOf } from "../../qingcloud/errors.ts";
import { endWithEngine } from "./end-with-engine.cjs";

const parentLookMs = 500;
const unlimited = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };

/**
 * Serves until a signal ends the process. The engine reads the port from the first line of standard output; it ends
 * plugins with SIGINT and waits 5 s for one that does not exit, so both signals exit at once. With the engine gone
 * a plugin ends too: nothing would end it later, and it must not work on while the next run does the same.
 * @param engine address of its server; undefined where none is known: the parent is looked at then
 */
export async function serve(
  service: ServiceDefinition,
  implementation: UntypedServiceImplementation,
  engine: string | undefined,
): Promise<void> {
  const end = (): never => process.exit(0);
  if (engine !== undefined) endWithEngine(engine, end);
  const server = new Server(unlimited);
  server.addService(service, implementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, end);
  const parent = process.ppid;
  if (engine === undefined) setInterval(() => process.ppid !== parent && end(), parentLookMs).unref();
  process.stdout.write(`${port}\n`);
}

type Answer<Response> = (
  error: { code: number; message: string } | Error | null,
  response?: Response,
) => void;

/** Turns an async function into a unary gRPC handler; an error that carries no gRPC code is answered as UNKNOWN. */
export function unary<Request, Response>(handle: (request: Request) => Promise<Response> | Response) {
  return (call: { request: Request }, answer: Answer<Response>): void => {
    Promise.try(handle, call.request).then(
      (response) => answer(null, response),
      (error: unknown) => answer(asServiceError(error)),
    );
  };
}

function asServiceError(error: unknown): Error {
  if (error instanceof Error && "code" in error && typeof error.code === "number") return error;
  const message = messageOf(error);
  return Object.assign(new Error(message), { code: status.UNKNOWN, details: message });
}
