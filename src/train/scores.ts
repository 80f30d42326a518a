/** The scores of a clip, as they are listed: of every class, or of the best five where there are many. */

/** Most classes whose scores are all listed. */
const FEW = 20;

/** Scores listed of more classes. */
const BEST = 5;

/** A class and its probability. */
export interface Score {
  label: string;
  probability: number;
}

/** The `top` most probable classes, best first. */
export function bestScores(probabilities: Float32Array, classNames: readonly string[], top: number): Score[] {
  const all = classNames.map((label, c) => ({ label, probability: probabilities[c]! }));
  return all.sort((a, b) => b.probability - a.probability).slice(0, top);
}

/** The scores that a list has of a clip, best first. */
export const listedScores = (probabilities: Float32Array, classNames: readonly string[]): Score[] =>
  bestScores(probabilities, classNames, classNames.length <= FEW ? classNames.length : BEST);

/** Headings of the scores in a csv: a column for each class, or a pair of columns for each of the best five. */
export function scoreHeadings(classNames: readonly string[]): string[] {
  if (classNames.length <= FEW) return classNames.map((name) => `score ${name}`);
  return Array.from({ length: BEST }, (_, i) => [`top ${i + 1}`, `score ${i + 1}`]).flat();
}

const shown = (probability: number): string => probability.toFixed(6);

/** Fields of `listedScores` below `scoreHeadings`. */
export function scoreFields(scores: readonly Score[], classNames: readonly string[]): string[] {
  if (classNames.length > FEW) return scores.flatMap(({ label, probability }) => [label, shown(probability)]);
  const found = new Map(scores.map(({ label, probability }) => [label, probability]));
  return classNames.map((name) => shown(found.get(name)!));
}
