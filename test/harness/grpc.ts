/** A gRPC server of the test's own on loopback. */
import { type Server, ServerCredentials } from "@grpc/grpc-js";

/** @returns its port */
export function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
}
