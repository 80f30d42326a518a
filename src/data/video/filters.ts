/** FFmpeg's filters from a stored frame to one of a wanted size; the same for both decoders. */

/** Turns, then scales. Bicubic, as the filter's own default of both decoders. */
export function frameFilters(turn: string, [width, height]: readonly [number, number]): string {
  return `${turn === '' ? '' : `${turn},`}scale=${width}:${height}:flags=bicubic`;
}
