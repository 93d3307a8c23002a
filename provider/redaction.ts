/** Keeps secrets out of messages: the cloud may repeat in an error what it was sent. */

/** Shorter texts are no keys, and replacing them would make messages unreadable. */
const shortest = 4;
/** What separates the values that the API packs into one; a script is none of these. */
const separators = /[|:;]/;

/**
 * Takes the values out of a text, as they are and in base64.
 * @param values taken out in their parts too
 * @param wholes taken out whole only: their parts may be words of other resources' messages
 */
export function redactor(values: readonly string[], wholes: Iterable<string> = []): (text: string) => string {
  const parts = values.filter((value) => !value.includes("\n")).flatMap((value) => value.split(separators));
  const forms = [...new Set([...values, ...parts, ...wholes])]
    .filter((value) => value.length >= shortest)
    .flatMap((value) => [value, Buffer.from(value).toString("base64")])
    .sort((one, other) => other.length - one.length);
  return (text) => forms.reduce((rest, form) => rest.replaceAll(form, "[secret]"), text);
}

/** The texts of a secret property: all of a list, and of an object those whose name says that they are secret. */
export function secretTexts(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return value.flatMap(secretTexts);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) =>
    typeof item === "object" || /key|passw|secret/i.test(name) ? secretTexts(item) : [],
  );
}
