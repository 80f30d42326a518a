/** Mean and standard deviation of pixels scaled to [0, 1]: red, green, blue. */
export interface Normalisation {
  mean: readonly number[];
  std: readonly number[];
}

/** Normalisation of the authors' recipes. */
export const NORMALISATION: Normalisation = { mean: [0.45, 0.45, 0.45], std: [0.225, 0.225, 0.225] };

/** Short text of a list of numbers, one number where all are equal. */
export const shortNumbers = (values: readonly number[]): string =>
  new Set(values).size === 1 ? String(values[0]) : values.join(', ');

/** Warning that weights saw pixels normalised otherwise than a run will give them; null where both agree. */
export function otherNormalisation(trained: Normalisation, given: Normalisation): string | null {
  const text = ({ mean, std }: Normalisation) => `mean ${shortNumbers(mean)}, std ${shortNumbers(std)}`;
  if (text(trained) === text(given)) return null;
  const list = (values: readonly number[]) => `'[${values.join(', ')}]'`;
  return (
    `the weights were trained with ${text(trained)}, this run normalises with ${text(given)}; ` +
    `the same: DATA.MEAN ${list(trained.mean)} DATA.STD ${list(trained.std)}`
  );
}
