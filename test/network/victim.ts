/** A cloud's process that a test ends without warning: `victim.ts OPTIONS-AS-JSON PICTURE-AS-JSON`. */

import { createLinuxDataPlane } from "../../local-cloud/network/linux.ts";

const [options = "{}", picture = "{}"] = process.argv.slice(2);
const plane = await createLinuxDataPlane({ ...JSON.parse(options), log: () => {} });
await plane.converge(JSON.parse(picture));
console.log("converged");
