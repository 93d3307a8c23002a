/**
 * Node's module of HTTP. Imported, it would bring its WebSocket, and with it, as `fetch` does, another client of HTTP, which
 * takes 50 ms to load.
 */
export const http = process.getBuiltinModule("node:http");
