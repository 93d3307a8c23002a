/** The training data: scikit-learn's handwritten digits as a file, so that nodes need PyTorch alone. */
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { succeed } from "./process.ts";
import type { Step } from "./steps.ts";
import type { Workspace } from "./workspace.ts";

export function digitsStep(workspace: Workspace): Step {
  const train = join(workspace.root, "scripts", "train");
  const file = join(train, "data", "digits.npz");
  return {
    name: "digits",
    present: async () => (existsSync(file) ? "1,797 images there" : undefined),
    async make() {
      mkdirSync(dirname(file), { recursive: true });
      await succeed("/usr/bin/python3", [join(train, "write_digits.py"), "--output", file]);
      return "1,797 images written";
    },
  };
}
