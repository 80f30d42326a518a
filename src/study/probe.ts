import { noGrad } from '../core/autograd';
import type { Normalisation } from '../data/normalisation';
import type { Clip } from '../data/types';
import type { MorphMLP } from '../models/morphmlp';
import type { BlockPlace, BlockWatch } from '../models/block_watch';
import { placedBlocks, watchBlocks, type PlacedBlock } from '../models/watch';
import { mul, sub } from '../ops/arithmetic';
import { meanPool } from '../ops/mean_pool';
import { scope } from '../core/scope';
import { tensor, type Tensor } from '../core/tensor';
import { normalised } from '../train/input';
import { WeightTally } from './branch_weights';
import type { BlockActivations, BranchWeights, Contribution, Norms } from './learned_types';
import { summarise } from './statistics';

/** Accumulates mean squares by channel over clips. */
class SquareTally {
  private sums: Float64Array | null = null;
  private clips = 0;

  /** @param t [B, T, H, W, C] */
  add(t: Tensor): void {
    const [clips, channels] = [t.shape[0]!, t.shape[t.ndim - 1]!];
    const squares = scope(() => meanPool(mul(t, t)).floats());
    const sums = (this.sums ??= new Float64Array(channels));
    squares.forEach((square, i) => (sums[i % channels]! += square));
    this.clips += clips;
  }

  norms(): Norms {
    const means = Array.from(this.sums ?? [], (sum) => sum / this.clips);
    const rms = Math.sqrt(means.reduce((a, b) => a + b, 0) / means.length);
    return { channels: summarise(means.map(Math.sqrt)), rms };
  }
}

/** The tensor to which each part of a block is added. */
const BASES = { temporal: 'input', spatial: 'input', mlp: 'spatial' } as const;

type Part = keyof typeof BASES;

/** Accumulates a block's activation norms and branch weights over clips. */
class BlockTally {
  private readonly added = { temporal: new SquareTally(), spatial: new SquareTally(), mlp: new SquareTally() };
  private readonly bases = { input: new SquareTally(), spatial: new SquareTally() };
  private readonly weights: WeightTally;
  private readonly temporal: boolean;

  constructor(private readonly at: PlacedBlock) {
    this.weights = new WeightTally(at.block);
    this.temporal = at.block.t_fc !== undefined;
  }

  watch(): BlockWatch {
    const seen: Partial<Record<BlockPlace, Tensor>> = {};
    return {
      tokens: (place, tokens) => {
        seen[place] = tokens;
        if (place === 'input' || place === 'spatial') this.bases[place].add(tokens);
        if (place === 'input' || (place === 'temporal' && !this.temporal)) return;
        scope(() => this.added[place].add(sub(tokens, seen[BASES[place]]!)));
      },
      weights: (weights) => this.weights.add(weights.floats()),
    };
  }

  private contribution(part: Part): Contribution {
    const [own, base] = [this.added[part].norms(), this.bases[BASES[part]].norms()];
    return { ...own, relative: base.rms === 0 ? 0 : own.rms / base.rms };
  }

  result(): { weights: BranchWeights; activations: BlockActivations } {
    const { name: block, stage } = this.at;
    const temporal = this.temporal ? this.contribution('temporal') : null;
    const [spatial, mlp] = [this.contribution('spatial'), this.contribution('mlp')];
    const weights = { block, stage, branches: this.weights.result() };
    return { weights, activations: { block, stage, input: this.bases.input.norms(), temporal, spatial, mlp } };
  }
}

/** How clips are run through a model. */
export interface ClipOptions {
  normalisation: Normalisation;
  /** Batch size. Default 8. */
  batch?: number;
}

/** Yields to the event loop, so that signals and progress bars are handled. */
export const yieldToEventLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Splits items into batches of `size`. */
export function batchesOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/** Measures branch weights and activation norms of every block on clips. The model must be in evaluation mode. */
export async function probeBlocks(
  model: MorphMLP,
  clips: readonly Clip[],
  { normalisation, batch = 8 }: ClipOptions,
  onClips: (done: number) => void = () => undefined,
): Promise<{ weights: BranchWeights[]; activations: BlockActivations[] }> {
  const tallies = new Map(placedBlocks(model).map((at) => [at.block, new BlockTally(at)]));
  let done = 0;
  for (const some of batchesOf(clips, batch)) {
    const { x, shape } = normalised(some, normalisation);
    const forward = () => scope(() => noGrad(() => void model.forward(tensor(x, shape))));
    watchBlocks(model, ({ block }) => tallies.get(block)!.watch(), forward);
    onClips((done += some.length));
    await yieldToEventLoop();
  }
  const results = [...tallies.values()].map((tally) => tally.result());
  return { weights: results.map((r) => r.weights), activations: results.map((r) => r.activations) };
}
