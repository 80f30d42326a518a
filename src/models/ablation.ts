/**
 * The paper's ablations of the spatial part (tables 8, 9 and 10) as switches of the model. What a switch means in layers is in
 * ablated_fc.ts, what it costs in flops.ts.
 */

/** The switches. What is not given is as in the published network. */
export interface Ablation {
  /** Channels of a group in the spatial FCs of stages 1 to 3 (table 8): the chunk's FC is then C/2, C or 2C wide. */
  groupDim: 'C/L' | 'C/2L' | '2C/L';
  /** The branches (table 9): with or without that of the channels. Stage 4, which has no width, then has height alone. */
  branches: 'H+W+C' | 'H+W';
  /** How the branches are added (table 9): weighted by a softmax over them, or as they are. */
  weighting: 'softmax' | 'sum';
  /**
   * What mixes the tokens of a frame (table 10): morph FCs; one convolution in place of all branches and their weighting; or a
   * convolution with L groups and L taps, in a row and in a column, in place of each morph FC.
   */
  spatial: 'morph_fc' | 'conv_3x3' | 'conv_7x7' | 'group_conv';
}

/** What each switch may be; the first is that of the published network. */
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

/** All switches of a model. */
export function ablationOf({ ablation = {} }: { ablation?: Partial<Ablation> }): Ablation {
  const published = Object.fromEntries(switches.map((name) => [name, SWITCHES[name][0]]));
  return { ...published, ...ablation } as Ablation;
}

/** The switches that are not as published, such as `spatial part conv_3x3`. */
export function ablationWords(config: { ablation?: Partial<Ablation> }): string[] {
  const all = ablationOf(config);
  return switches.filter((name) => all[name] !== SWITCHES[name][0]).map((name) => `${NAMES[name]} ${all[name]}`);
}

/** A part of a configuration that holds the switches, where one is not as published: files of published models do not name them. */
export function withAblation(ablation: Ablation): { ablation?: Partial<Ablation> } {
  const changed = switches.filter((name) => ablation[name] !== SWITCHES[name][0]);
  return changed.length > 0 ? { ablation: Object.fromEntries(changed.map((name) => [name, ablation[name]])) } : {};
}

/** How many times C/L channels a group of stage `stage` (from 0) has. */
export function groupScale({ groupDim }: Ablation, stage: number): number {
  if (stage === 3 || groupDim === 'C/L') return 1;
  return groupDim === 'C/2L' ? 0.5 : 2;
}

/** The branches of stage `stage` (from 0), in the order of their weights. */
export function branchesOf({ branches }: Ablation, stage: number): ('h' | 'w' | 'c')[] {
  const spatial: ('h' | 'w')[] = stage === 3 ? ['h'] : ['h', 'w'];
  return branches === 'H+W' ? spatial : [...spatial, 'c'];
}

/** Side of the one convolution in place of the branches; null where there is none. */
export function convolutionSide({ spatial }: Ablation): number | null {
  return spatial === 'conv_3x3' ? 3 : spatial === 'conv_7x7' ? 7 : null;
}

/**
 * The window (rows, columns) of a group convolution, which has as many taps as a chunk has tokens: a column and a row; in stage 4, whose
 * chunks are whole frames, the rectangle nearest to a square.
 */
export function groupWindow(branch: 'h' | 'w', chunk: number, stage: number): [number, number] {
  if (stage < 3) return branch === 'h' ? [chunk, 1] : [1, chunk];
  let rows = Math.floor(Math.sqrt(chunk));
  while (chunk % rows !== 0) rows--;
  return [rows, chunk / rows];
}

/** Throws one clear sentence where a switch has a value it cannot have, or two do not go together. */
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

/** Throws where the channels of a stage (from 0) cannot be cut into the groups that the switches ask for. */
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
