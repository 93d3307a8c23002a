import { StackMark, Eip } from "../provider/index.ts";
const mark = new StackMark("mark", {});
const eip = new Eip("eip", { zone: "gpu1a", bandwidth: 20, mark: mark.value });
export const address = eip.address;
