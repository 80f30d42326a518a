/** FFmpeg filters from a stored frame to the requested size, the same for both decoders. */

/** Rotates, then scales. Bicubic, the default of the filter. */
export function frameFilters(turn: string, [width, height]: readonly [number, number]): string {
  return `${turn === '' ? '' : `${turn},`}scale=${width}:${height}:flags=bicubic`;
}
