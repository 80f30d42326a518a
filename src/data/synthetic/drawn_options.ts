/** Options of a drawn clip. */
export interface DrawnOptions {
  seed: number | bigint;
  /** Number of an independent set of clips, so that training and validation never share one. */
  stream: number;
  /** Height and width in pixels. */
  size: number;
  frames: number;
}
