export * from "../harness/cloud.ts";
