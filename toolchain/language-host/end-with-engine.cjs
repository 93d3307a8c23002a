/**
 * Preloaded into the program (`node --require`): it ends when its engine is gone. The SDK alone goes round in circles then,
 * on a whole core: it reports each error on standard output or to the engine, and that nobody takes it is the next error.
 */
const { endWithEngine } = require("../../provider/rpc/end-with-engine.cjs");

const end = () => process.kill(process.pid, "SIGKILL");
const [, engine] = /** @type {string[]} */ (process.argv.join("\n").match(/^--engine\n(.+)$/m) ?? []);
if (engine) endWithEngine(engine, end);
