/** Mean and standard deviation of pixels scaled to [0, 1]: red, green, blue. */
export interface Normalisation {
  mean: readonly number[];
  std: readonly number[];
}

/** Normalisation of the authors' recipes. */
export const NORMALISATION: Normalisation = { mean: [0.45, 0.45, 0.45], std: [0.225, 0.225, 0.225] };
