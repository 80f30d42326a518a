/** A line of a csv file (RFC 4180), with its line break. Fields with commas, quotes, line breaks or spaces at an end are quoted. */
export function csvLine(fields: readonly (string | number)[]): string {
  const quoted = (field: string): string =>
    /[",\r\n]|^\s|\s$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
  return `${fields.map((field) => quoted(String(field))).join(',')}\n`;
}
