/**
 * A stand-in for the official Pulumi provider `command` 1.2.1, for machines that cannot download it.
 * The engine starts it with its own address and reads the port from the first line of standard output.
 */
import providerService from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import { serve } from "../../provider/rpc/server.ts";
import { connectEngine } from "./engine.ts";
import { commandProvider } from "./provider.ts";

const engineAddress = process.argv.slice(2).find((argument) => !argument.startsWith("-"));
await serve(
  providerService.ResourceProviderService,
  commandProvider(connectEngine(engineAddress)),
  engineAddress,
);
