/** Bytes of a text such as 1500M or 2G (of 1024), or null where it is no amount of memory. */
export function parseBytes(text: string): number | null {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)([KMG]?)(?:i?B)?$/i.exec(text.trim()) ?? [];
  const bytes = Math.floor(Number(digits) * 1024 ** ['', 'K', 'M', 'G'].indexOf(unit.toUpperCase()));
  return bytes > 0 ? bytes : null;
}

/** The same for a cache, which 0 switches off. */
export const parseCacheBytes = (text: string): number | null => (/^0+$/.test(text.trim()) ? 0 : parseBytes(text));

/** The same for the key RUN.CACHE_MEMORY. @throws where it is no amount of memory */
export function cacheByteCount(text: string): number {
  const bytes = parseCacheBytes(text);
  if (bytes !== null) return bytes;
  throw new Error(`RUN.CACHE_MEMORY: expected an amount of memory such as 1500M or 2G, or 0, got ${text}`);
}

/** The same for the key RUN.MEMORY_BUDGET. @throws where it is no amount of memory */
export function byteCount(text: string): number {
  const bytes = parseBytes(text);
  if (bytes !== null) return bytes;
  throw new Error(`RUN.MEMORY_BUDGET: expected an amount of memory such as 1500M or 2G, got ${text}`);
}
