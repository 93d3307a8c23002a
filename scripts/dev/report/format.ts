/** Numbers and times as the report shows them. */

export const nothing = "–";

export function fixed(value: number | null | undefined, digits: number): string {
  return value === null || value === undefined ? nothing : value.toFixed(digits);
}

/** 1,234,567. */
export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? nothing : value.toLocaleString("en-US");
}

/** In powers of 1000, as bandwidths are. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return nothing;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [amount, unit] = [value, 0];
  while (amount >= 999.5 && unit < units.length - 1) [amount, unit] = [amount / 1000, unit + 1];
  return `${amount.toFixed(unit === 0 || amount >= 100 ? 0 : 1)} ${units[unit]}`;
}

export function milliseconds(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return nothing;
  const value = seconds * 1000;
  return `${value.toFixed(value >= 99.95 ? 0 : 1)} ms`;
}

export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${rest} s`;
}

/** @param time seconds since 1970 */
export function utc(time: number): string {
  return `${new Date(time * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Numbers as ranges: 0–3, 7. */
export function ranges(sorted: readonly number[]): string {
  const found: [number, number][] = [];
  for (const value of sorted) {
    const last = found.at(-1);
    if (last !== undefined && value === last[1] + 1) last[1] = value;
    else found.push([value, value]);
  }
  return found
    .map(([from, to]) => (from === to ? `${from}` : to === from + 1 ? `${from}, ${to}` : `${from}–${to}`))
    .join(", ");
}

/** Text as HTML, SVG and their attributes take it; what no XML may hold is shown as such. */
export function escapeMarkup(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text
    .replace(/[&<>"']/g, (character) => entities[character] ?? character)
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, "\u{fffd}");
}
