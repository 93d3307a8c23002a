/** docs/provider.md, made of the provider's schema. */
import { definitions, functions } from "../../provider/definitions.ts";
import {
  type FunctionSpec,
  type ObjectSpec,
  type PackageSpec,
  type PropertySpec,
  packageSchema,
  type ResourceSpec,
} from "../../provider/schema.ts";
import { markdownTable } from "./markdown.ts";

const intro = `# The provider \`qingcloud\`

Made from the provider's descriptions by \`npm run check -- --write\`; do not edit. The same as a Pulumi schema, for SDKs of
other languages: \`npm run pulumi -- package get-schema ./provider/pulumi-resource-qingcloud\`.

In this project's programs the classes and functions come from \`provider/index.ts\`. Names follow the Terraform provider
yunify/qingcloud in camelCase.

**Import:** \`npm run pulumi -- import TYPE NAME ZONE/ID --generate-code=false\`, e.g. \`import qingcloud:cloud:Eip front
pek3a/eip-1234abcd\`; the id alone where the provider has a \`zone\`. With Pulumi's own language host it can also generate
the program's code.

**Names:** without \`name\`, a resource's name in the cloud is made of its \`mark\` (a StackMark of the program) and its URN. So
one whose id was lost, in a run that was killed, is found again instead of made twice. A name that is given must be free.

**Time:** \`customTimeouts\` bounds create, update and delete; the default is 10 minutes. Ctrl-C keeps what is half-made in
the state, and the next run finishes it.
`;

/** The whole page. */
export function referencePage(): string {
  const schema = packageSchema(definitions, functions);
  const parts = [
    intro,
    "## Configuration\n",
    "Names only: keys are read from the official client's `config.yaml`, or from QINGCLOUD_ACCESS_KEY_ID and QINGCLOUD_SECRET_ACCESS_KEY, when the provider starts.\n",
    table(["setting", "type", "meaning"], schema.config.variables, (name, each) => [
      `\`qingcloud:${name}\``,
      typeOf(each, schema),
      each.description ?? "",
    ]),
    "## Resources\n",
    ...Object.entries(schema.resources).map(([token, each]) => resourceSection(token, each, schema)),
    "## Functions\n",
    ...Object.entries(schema.functions)
      .sort(([one], [other]) => one.localeCompare(other))
      .map(([token, each]) => functionSection(token, each, schema)),
  ];
  return `${parts.join("\n").trimEnd()}\n`;
}

function resourceSection(token: string, resource: ResourceSpec, schema: PackageSpec): string {
  const { inputProperties, properties, requiredInputs, required } = resource;
  const outputs = Object.fromEntries(
    Object.entries(properties).filter(
      ([name, each]) => !(name in inputProperties) || each.description !== inputProperties[name]?.description,
    ),
  );
  return [
    `### ${nameOf(token)}\n`,
    `\`${token}\`: ${resource.description}\n`,
    Object.keys(inputProperties).length === 0
      ? "It takes no inputs.\n"
      : inputTable(inputProperties, requiredInputs, schema),
    ...nestedTables(inputProperties, schema),
    Object.keys(outputs).length === 0 ? "" : `Outputs:\n\n${outputTable(outputs, required, schema)}`,
  ]
    .filter((part) => part !== "")
    .join("\n");
}

function functionSection(token: string, { description, inputs, outputs }: FunctionSpec, schema: PackageSpec) {
  return [
    `### ${nameOf(token)}\n`,
    `\`${token}\`: ${description}\n`,
    Object.keys(inputs.properties).length === 0
      ? "It takes no arguments.\n"
      : inputTable(inputs.properties, inputs.required, schema, "argument"),
    `Result:\n\n${outputTable(outputs.properties, outputs.required, schema)}`,
    ...nestedTables(outputs.properties, schema),
  ].join("\n");
}

function inputTable(
  properties: ObjectSpec["properties"],
  required: readonly string[],
  schema: PackageSpec,
  heading = "input",
): string {
  return table([heading, "type", "default", "meaning"], properties, (name, each) => {
    const notes = [
      each.description ?? "",
      ...(each.secret ? ["Secret."] : []),
      ...(each.willReplaceOnChanges ? ["A change replaces the resource."] : []),
    ];
    const fallback = required.includes(name)
      ? "required"
      : each.default === undefined
        ? ""
        : `\`${each.default}\``;
    return [`\`${name}\``, typeOf(each, schema), fallback, notes.join(" ")];
  });
}

function outputTable(
  properties: ObjectSpec["properties"],
  required: readonly string[],
  schema: PackageSpec,
): string {
  return table(["output", "type", "meaning"], properties, (name, each) => [
    `\`${name}\`${required.includes(name) ? "" : "?"}`,
    typeOf(each, schema),
    `${each.description ?? ""}${each.secret ? " Secret." : ""}`,
  ]);
}

/** Tables of the objects that the properties hold, the outer first. */
function nestedTables(properties: ObjectSpec["properties"], schema: PackageSpec): string[] {
  return Object.entries(properties).flatMap(([name, each]) => {
    const nested = objectOf(each, schema);
    if (nested === undefined) return [];
    const title = each.type === "array" ? `Each of \`${name}\`` : `\`${name}\``;
    return [
      `${title}:\n\n${inputTable(nested.properties, nested.required, schema)}`,
      ...nestedTables(nested.properties, schema),
    ];
  });
}

function objectOf({ $ref, items }: PropertySpec, schema: PackageSpec): ObjectSpec | undefined {
  if (items !== undefined) return objectOf(items, schema);
  return $ref === undefined ? undefined : schema.types[$ref.slice("#/types/".length)];
}

function typeOf(property: PropertySpec, schema: PackageSpec): string {
  if (property.type === "array") return `list of ${typeOf(property.items ?? {}, schema)}`;
  return objectOf(property, schema) === undefined ? (property.type ?? "string") : "object";
}

function table<Item>(
  headings: readonly string[],
  items: Readonly<Record<string, Item>>,
  row: (name: string, item: Item) => readonly string[],
): string {
  const rows = Object.entries(items).map(([name, item]) => row(name, item));
  return `${markdownTable([headings, ...rows])}\n`;
}

function nameOf(token: string): string {
  return token.split(":").at(-1) ?? token;
}
