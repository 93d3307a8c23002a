/** The plugin process `pulumi-resource-qingcloud`. */
import providerService from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import { definitions, functions } from "./definitions.ts";
import { argumentsOfParent } from "./engine-command.ts";
import { serve } from "./rpc/server.ts";
import { ProviderService } from "./service.ts";

const engine = process.argv[2];
const service = new ProviderService(definitions, functions, engine, { cliArguments: argumentsOfParent });
await serve(providerService.ResourceProviderService, service.handlers(), engine);
