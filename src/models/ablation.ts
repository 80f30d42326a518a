/**
 * The paper's ablations of the spatial part (tables 8, 9 and 10) as switches of the model. ablated_fc.ts implements them, flops.ts
 * counts their cost.
 */

/** The switches. Defaults are those of the published network. */
export interface Ablation {
  /** Channels of a group in the spatial FCs of stages 1 to 3 (table 8). The FC is C wide for C/L, C/2 for C/2L and 2C for 2C/L. */
  groupDim: 'C/L' | 'C/2L' | '2C/L';
  /** The branches (table 9): with or without the channel branch. Stage 4, which has no width branch, then has only height. */
  branches: 'H+W+C' | 'H+W';
  /** Weighting of the branches (table 9): by a softmax over them, or none. */
  weighting: 'softmax' | 'sum';
  /**
   * The spatial operation (table 10): morph FCs; one convolution in place of all branches and their weighting; or a convolution
   * with L groups and L taps, in a row and in a column, in place of each morph FC.
   */
  spatial: 'morph_fc' | 'conv_3x3' | 'conv_7x7' | 'group_conv';
}

/** Allowed values of each switch; the first is that of the published network. */
export const SWITCHES: { readonly [K in keyof Ablation]: readonly [Ablation[K], ...Ablation[K][]] } = {
  groupDim: ['C/L', 'C/2L', '2C/L'],
  branches: ['H+W+C', 'H+W'],
  weighting: ['softmax', 'sum'],
  spatial: ['morph_fc', 'conv_3x3', 'conv_7x7', 'group_conv'],
};

const NAMES: Record<keyof Ablation, string> = {
  groupDim: 'group dimension',
  branches: 'branches',
  weighting: 'weighting',
  spatial: 'spatial part',
};

const switches = Object.keys(SWITCHES) as (keyof Ablation)[];

/** All switches of a model, with defaults filled in. */
export function ablationOf({ ablation = {} }: { ablation?: Partial<Ablation> }): Ablation {
  const published = Object.fromEntries(switches.map((name) => [name, SWITCHES[name][0]]));
  return { ...published, ...ablation } as Ablation;
}

/** Descriptions of the switches that differ from the published network, such as `spatial part conv_3x3`. */
export function ablationWords(config: { ablation?: Partial<Ablation> }): string[] {
  const all = ablationOf(config);
  return switches.filter((name) => all[name] !== SWITCHES[name][0]).map((name) => `${NAMES[name]} ${all[name]}`);
}

/** The switches as part of a configuration; empty for the published network, whose files do not name them. */
export function withAblation(ablation: Ablation): { ablation?: Partial<Ablation> } {
  const changed = switches.filter((name) => ablation[name] !== SWITCHES[name][0]);
  return changed.length > 0 ? { ablation: Object.fromEntries(changed.map((name) => [name, ablation[name]])) } : {};
}

/** Channels of a group in units of C/L, for stage `stage` (from 0). */
export function groupScale({ groupDim }: Ablation, stage: number): number {
  if (stage === 3 || groupDim === 'C/L') return 1;
  return groupDim === 'C/2L' ? 0.5 : 2;
}

/** The branches of stage `stage` (from 0), in the order of their weights. */
export function branchesOf({ branches }: Ablation, stage: number): ('h' | 'w' | 'c')[] {
  const spatial: ('h' | 'w')[] = stage === 3 ? ['h'] : ['h', 'w'];
  return branches === 'H+W' ? spatial : [...spatial, 'c'];
}

/** Kernel side of the single convolution that replaces the branches; null for the other operations. */
export function convolutionSide({ spatial }: Ablation): number | null {
  return spatial === 'conv_3x3' ? 3 : spatial === 'conv_7x7' ? 7 : null;
}

/**
 * The window (rows, columns) of a group convolution with one tap per token of a chunk: a column or a row; in stage 4, whose chunks
 * are whole frames, the rectangle closest to a square.
 */
export function groupWindow(branch: 'h' | 'w', chunk: number, stage: number): [number, number] {
  if (stage < 3) return branch === 'h' ? [chunk, 1] : [1, chunk];
  let rows = Math.floor(Math.sqrt(chunk));
  while (chunk % rows !== 0) rows--;
  return [rows, chunk / rows];
}

/** Throws if a switch has an unknown value, or two switches exclude each other. */
export function checkAblation(config: { ablation?: Partial<Ablation> }): void {
  const all = ablationOf(config);
  for (const name of Object.keys(all) as (keyof Ablation)[]) {
    const known: readonly string[] | undefined = SWITCHES[name];
    if (!known) throw new Error(`model: ablation '${name}' is not one of ${switches.join(', ')}`);
    if (!known.includes(all[name]))
      throw new Error(`model: ${NAMES[name]} must be one of ${known.join(', ')}, got ${String(all[name])}`);
  }
  if (all.spatial === 'morph_fc') return;
  const idle: (keyof Ablation)[] = all.spatial === 'group_conv' ? ['groupDim'] : ['groupDim', 'branches', 'weighting'];
  for (const name of idle)
    if (all[name] !== SWITCHES[name][0])
      throw new Error(`model: spatial part ${all.spatial} has no ${NAMES[name]}, so that it cannot be ${all[name]}`);
}

/** Throws if the channels of a stage (from 0) are not divisible into the groups that the switches require. */
export function checkGroups(
  config: { ablation?: Partial<Ablation> },
  stage: number,
  channels: number,
  chunk: number,
): void {
  const groups = chunk / groupScale(ablationOf(config), stage);
  if (!Number.isInteger(groups))
    throw new Error(`model: stage ${stage + 1}: group dimension 2C/L needs an even chunk length, got ${chunk}`);
  if (channels % groups !== 0)
    throw new Error(`model: stage ${stage + 1}: ${channels} channels are not a multiple of the ${groups} groups`);
}
