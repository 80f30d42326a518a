/** Reads a csv (RFC 4180) into records by heading, independently of the writer. */
export function readCsvText(text: string): Record<string, string>[] {
  const rows: string[][] = [[]];
  const field = /(?:"((?:[^"]|"")*)"|([^,\n]*))(,|\n)/gy;
  for (let found = field.exec(text); found !== null; found = field.exec(text)) {
    rows.at(-1)!.push(found[1]?.replaceAll('""', '"') ?? found[2]!);
    if (found[3] === '\n') rows.push([]);
  }
  const [head, ...lines] = rows.slice(0, -1);
  return lines.map((line) => {
    if (line.length !== head!.length) throw new Error(`a line of ${line.length} fields below ${head!.length} headings`);
    return Object.fromEntries(line.map((value, i) => [head![i]!, value]));
  });
}
