/** A table of Markdown; the first row is its heads. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [heads = [], ...others] = rows;
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...others.map(line)].join("\n");
}
