/**
 * Ends a process when the engine that it works for is gone: a killed engine sends no signal, and what it has started lives in
 * process groups of its own. A connection to the engine's server says so at once, also where the engine was gone before
 * this process could look for its parent. In plain CommonJS, because Node preloads it into Pulumi's program.
 */
const { connect } = require("node:http2");

/**
 * @param {string} address the engine's server, host and port
 * @param {() => void} end
 */
function endWithEngine(address, end) {
  let isConnected = false;
  const session = connect(`http://${address}`);
  session.once("connect", () => {
    isConnected = true;
  });
  session.on("error", () => {});
  // A server that closes a connection need not have ended: it takes the next one then.
  session.once("close", () => (isConnected ? endWithEngine(address, end) : end()));
  session.unref();
}

module.exports = { endWithEngine };
