/** Scripts of scripts/node, run on a node by `python3 -`: nothing has to be there beforehand but Python. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * The standard input for `python3 -`: the script's source and a call of one of its functions.
 * @param name file name in scripts/node
 * @param argument passed to the function, as JSON
 */
export async function nodeScript(name: string, argument: unknown, called = "main"): Promise<string> {
  const path = join(import.meta.dirname, "..", "..", "scripts", "node", name);
  const literal = JSON.stringify(JSON.stringify(argument));
  return `${await readFile(path, "utf8")}\nimport json\n${called}(json.loads(${literal}))\n`;
}
