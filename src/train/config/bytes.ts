/** Parses a memory size such as 1500M or 2G (powers of 1024) to bytes; null if invalid. */
export function parseBytes(text: string): number | null {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)([KMG]?)(?:i?B)?$/i.exec(text.trim()) ?? [];
  const bytes = Math.floor(Number(digits) * 1024 ** ['', 'K', 'M', 'G'].indexOf(unit.toUpperCase()));
  return bytes > 0 ? bytes : null;
}

/** As `parseBytes`, for a cache; 0 disables it. */
export const parseCacheBytes = (text: string): number | null => (/^0+$/.test(text.trim()) ? 0 : parseBytes(text));

/** Value of the key RUN.CACHE_MEMORY in bytes. @throws if it is not a memory size */
export function cacheByteCount(text: string): number {
  const bytes = parseCacheBytes(text);
  if (bytes !== null) return bytes;
  throw new Error(`RUN.CACHE_MEMORY: expected an amount of memory such as 1500M or 2G, or 0, got ${text}`);
}

/** Value of the key RUN.MEMORY_BUDGET in bytes. @throws if it is not a memory size */
export function byteCount(text: string): number {
  const bytes = parseBytes(text);
  if (bytes !== null) return bytes;
  throw new Error(`RUN.MEMORY_BUDGET: expected an amount of memory such as 1500M or 2G, got ${text}`);
}
