/** Keeps secrets out of messages: the cloud may repeat in an error what it was sent. */

/** Shorter texts are no keys, and replacing them would make messages unreadable. */
const shortest = 4;
/** What separates the values that the API packs into one. */
const separators = /[|:;]/;

/** Takes the values out of a text, whole and in their parts, as they are and in base64. */
export function redactor(values: readonly string[]): (text: string) => string {
  const forms = [...new Set(values.flatMap((value) => [value, ...value.split(separators)]))]
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
