/**
 * `node --import`: the clock of a cloud's server is set again and again, forward and back. Signatures, which hold for 60 s
 * on either side, still do.
 */
const stepsSeconds = [0, 50, -50, 20, -35];

if (process.argv.includes("--foreground")) {
  const RealDate = Date;
  let step = 0;
  setInterval(() => {
    step = (step + 1) % stepsSeconds.length;
  }, 30).unref();
  const now = () => RealDate.now() + stepsSeconds[step] * 1000;
  globalThis.Date = class extends RealDate {
    constructor(...given) {
      super(...(given.length === 0 ? [now()] : given));
    }
    static now = now;
  };
}
