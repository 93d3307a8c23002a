export * from "../harness/stack.ts";
