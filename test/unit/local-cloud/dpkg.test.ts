import { expect, test } from "vitest";
import { pathsOnlyOf, readPackages, withDependents } from "../../../local-cloud/network/nodes/dpkg.ts";

const status = `Package: python3-numpy
Status: install ok installed
Depends: python3 (>= 3.11),
 libblas3 | libblas.so.3,
 libc6:any
Provides: python3-numpy-abi9
Description: numbers

Package: python3-sklearn
Status: install ok installed
Pre-Depends: dpkg (>= 1)
Depends: python3-numpy-abi9

Package: plot
Status: install ok installed
Depends: python3-numpy | python3-array

Package: python3-array
Status: install ok installed

Package: removed
Status: deinstall ok config-files
Depends: python3-numpy

Package: tool
Status: install ok installed
Depends: python3-sklearn, never-installed
`;

test("installed packages are read with their dependencies", () => {
  const packages = readPackages(status);
  expect(packages.map(({ name }) => name)).toEqual([
    "python3-numpy",
    "python3-sklearn",
    "plot",
    "python3-array",
    "tool",
  ]);
  expect(packages[0]).toEqual({
    name: "python3-numpy",
    dependencies: [["python3"], ["libblas3", "libblas.so.3"], ["libc6"]],
    provides: ["python3-numpy-abi9"],
  });
});

test("what needs a package goes with it, also what needs what it provides; what has another choice stays", () => {
  const gone = withDependents(readPackages(status), (name) => name === "python3-numpy");
  expect([...gone].sort()).toEqual(["python3-numpy", "python3-sklearn", "tool"]);
  const both = withDependents(readPackages(status), (name) => /numpy|array/.test(name));
  expect([...both].sort()).toEqual(["plot", "python3-array", "python3-numpy", "python3-sklearn", "tool"]);
});

test("only the topmost paths are named, and none that another package has too", () => {
  const lists = [
    [
      "numbers",
      ["/.", "/usr", "/usr/bin", "/usr/bin/f2py", "/usr/lib", "/usr/lib/numbers", "/usr/lib/numbers/core"],
    ],
    ["files", ["/.", "/usr", "/usr/bin", "/usr/bin/ls", "/usr/lib"]],
  ] as const;
  expect(pathsOnlyOf(new Set(["numbers"]), lists)).toEqual(["/usr/bin/f2py", "/usr/lib/numbers"]);
});
