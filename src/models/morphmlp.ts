/**
 * MorphMLP (Zhang et al., ECCV 2022, arXiv 2111.12527): layers, blocks and model. Parameter names are those of the authors' public
 * code, which is followed if it differs from the paper's text. Tokens are x[B, T, H, W, C]; an image is a clip of one frame.
 */
import { isGradEnabled } from '../core/autograd';
import { checkpoint } from '../core/recompute';
import { add, mul } from '../ops/arithmetic';
import { cast, castLike } from '../ops/cast';
import { dropFactors } from '../ops/dropout';
import { meanPool } from '../ops/mean_pool';
import { morphFc } from '../ops/morph_fc';
import { normMlp } from '../ops/norm_mlp';
import { normSpatial, type BiasedFc, type Fc, type WatchWeights } from '../ops/norm_spatial';
import { normTemporal } from '../ops/norm_temporal';
import { reshape } from '../ops/reshape';
import { temporalFc } from '../ops/temporal_fc';
import type { Precision } from '../core/native';
import { LayerNorm, type Linear } from '../nn/layers';
import { Module } from '../nn/module';
import { runsAsParts } from '../core/dispatch';
import { scope } from '../core/scope';
import { expectOptions } from '../core/options';
import { show, type Tensor } from '../core/tensor';
import { AblatedFc } from './ablated_fc';
import { ablationWords } from './ablation';
import { checkConfig, CONFIG_KEYS, temporalGroups, timeSteps, VARIANTS, type MorphMlpConfig } from './config';
import { fullyConnected } from './fully_connected';
import { Downsample, PatchEmbed } from './embed';
import { Reweight } from './reweight';
import type { BlockPlace, BlockWatch } from './block_watch';

/**
 * MorphFC_s, the spatial MorphFC of stages 1 to 3 (section 3.2): an FC over chunks of tokens in column order (height), one over chunks in
 * row order (width), one over each token's channels, and a projection of their weighted sum.
 */
export class MorphFcS extends Module {
  readonly mlp_h: Linear;
  readonly mlp_w: Linear;
  readonly mlp_c: Linear;
  readonly reweight: Reweight;
  readonly proj: Linear;

  constructor(
    channels: number,
    readonly chunk: number,
    bias: boolean,
  ) {
    super();
    this.mlp_h = fullyConnected(channels, channels, { bias });
    this.mlp_w = fullyConnected(channels, channels, { bias });
    this.mlp_c = fullyConnected(channels, channels, { bias });
    this.reweight = new Reweight(channels, 3);
    this.proj = fullyConnected(channels, channels);
  }

  /** The FCs of the branches, in the order of their weights. */
  get branches(): Linear[] {
    return [this.mlp_h, this.mlp_w, this.mlp_c];
  }

  /** @param x [B, T, H, W, C] @returns the same shape */
  forward(x: Tensor, watch?: WatchWeights): Tensor {
    const { chunk, mlp_h, mlp_w } = this;
    const h = morphFc(x, mlp_h.weight, mlp_h.bias ?? null, { axis: 'height', chunk });
    const w = morphFc(x, mlp_w.weight, mlp_w.bias ?? null, { axis: 'width', chunk });
    return this.proj.forward(this.reweight.forward([h, w, this.mlp_c.forward(x)], watch));
  }
}

/**
 * MorphFC_s of stage 4 (section 3.2, in the authors' code `MorphFC_S2`): the branch named height (tokens in row order, strided) and
 * the channel branch.
 */
export class MorphFcS2 extends Module {
  readonly mlp_c: Linear;
  readonly mlp_h: Linear;
  readonly reweight: Reweight;
  readonly proj: Linear;

  constructor(
    channels: number,
    readonly chunk: number,
    bias: boolean,
  ) {
    super();
    this.mlp_c = fullyConnected(channels, channels, { bias });
    this.mlp_h = fullyConnected(channels, channels, { bias });
    this.reweight = new Reweight(channels, 2);
    this.proj = fullyConnected(channels, channels);
  }

  /** The FCs of the branches, in the order of their weights. */
  get branches(): Linear[] {
    return [this.mlp_h, this.mlp_c];
  }

  /** @param x [B, T, H, W, C] @returns the same shape */
  forward(x: Tensor, watch?: WatchWeights): Tensor {
    const { chunk, mlp_h } = this;
    const h = morphFc(x, mlp_h.weight, mlp_h.bias ?? null, { axis: 'width', chunk, order: 'strided' });
    return this.proj.forward(this.reweight.forward([h, this.mlp_c.forward(x)], watch));
  }
}

/** MorphFC_t, the temporal MorphFC (section 3.3). Its initial output is zero: `mlp_t` is 0, `proj` has weight 1 and bias 0, as in the authors' code. */
export class MorphFcT extends Module {
  readonly mlp_t: Linear;
  readonly proj: Linear;
  readonly groups: number;

  constructor(channels: number, steps: number, bias: boolean) {
    super();
    this.groups = temporalGroups(channels, steps);
    const row = steps * (channels / this.groups);
    this.mlp_t = fullyConnected(row, row, { bias });
    this.proj = fullyConnected(channels, channels);
    this.mlp_t.weight.fill((piece) => piece.fill(0));
    this.proj.weight.fill((piece) => piece.fill(1));
  }

  /** @param x [B, T, H, W, C] @returns the same shape */
  forward(x: Tensor): Tensor {
    return this.proj.forward(temporalFc(x, this.mlp_t.weight, this.mlp_t.bias ?? null, this.groups));
  }
}

/** The channel MLP of a block (section 3.4): two FCs with a GELU between. */
export class Mlp extends Module {
  readonly fc1: Linear;
  readonly fc2: Linear;

  constructor(channels: number, hidden: number) {
    super();
    this.fc1 = fullyConnected(channels, hidden);
    this.fc2 = fullyConnected(hidden, channels);
  }

  /** @param x [..., C] @returns the same shape */
  forward(x: Tensor): Tensor {
    return this.fc2.forward(this.fc1.forward(x, { gelu: true }));
  }
}

/**
 * A block (section 3.4, figure 3): xt = x + t(LN(x)); x = x + drop(s(LN(xt))); x = x + drop(mlp(LN(x))). The second residual is x, not xt.
 * Images have no temporal part. Each part is one fused kernel, or separate ops if a plugin replaces one of them. With ablation
 * switches the spatial part always consists of separate ops.
 */
export class Block extends Module {
  readonly norm1: LayerNorm;
  readonly t_norm1?: LayerNorm;
  readonly t_fc?: MorphFcT;
  readonly fc: MorphFcS | MorphFcS2 | AblatedFc;
  readonly norm2: LayerNorm;
  readonly mlp: Mlp;
  /** Observer of the block's forward (see `watchBlocks`). @internal */
  watch: BlockWatch | null = null;

  constructor(
    config: MorphMlpConfig,
    stage: 0 | 1 | 2 | 3,
    readonly drop: number,
    /** Index among the blocks of all stages. */
    readonly index = 0,
  ) {
    super();
    const channels = config.embedDims[stage];
    this.norm1 = new LayerNorm(channels);
    if (config.kind === 'video') {
      this.t_norm1 = new LayerNorm(channels);
      this.t_fc = new MorphFcT(channels, timeSteps(config), config.qkvBias);
    }
    this.fc = spatialFc(config, stage);
    this.norm2 = new LayerNorm(channels);
    this.mlp = new Mlp(channels, Math.trunc(channels * config.mlpRatio));
  }

  /** @param x [B, T, H, W, C] @returns the same shape */
  forward(x: Tensor): Tensor {
    if (this.watch) return this.watchedForward(x, this.watch);
    return scope(() => this.mlpPart(this.spatialPart(x, this.temporalPart(x))));
  }

  private watchedForward(x: Tensor, watch: BlockWatch): Tensor {
    const seen = (place: BlockPlace, tokens: Tensor): Tensor => {
      watch.tokens?.(place, tokens);
      return tokens;
    };
    return scope(() => {
      const xt = seen('temporal', this.temporalPart(seen('input', x)));
      return seen('mlp', this.mlpPart(seen('spatial', this.spatialPart(x, xt))));
    });
  }

  private temporalPart(x: Tensor): Tensor {
    if (!this.t_fc || !this.t_norm1 || this.watch?.skipTemporal) return x;
    if (runsAsParts('norm_temporal', 'layer_norm', 'temporal_fc', 'linear'))
      return add(x, this.t_fc.forward(this.t_norm1.forward(x)));
    const { mlp_t, proj, groups } = this.t_fc;
    const projection = biasedFcOf(proj);
    const p = { ...normOf(this.t_norm1), ...fcOf(mlp_t), proj: projection.weight, projBias: projection.bias };
    return normTemporal(x, p, groups);
  }

  private spatialPart(x: Tensor, xt: Tensor): Tensor {
    if (this.fc instanceof AblatedFc || runsAsParts('norm_spatial', 'layer_norm', 'morph_fc', 'linear', 'gelu'))
      return this.residual(x, this.fc.forward(this.norm1.forward(xt), this.watch?.weights));
    const { branches, reweight, proj, chunk } = this.fc;
    const p = {
      ...normOf(this.norm1),
      branches: branches.map(fcOf),
      fc1: biasedFcOf(reweight.fc1),
      fc2: biasedFcOf(reweight.fc2),
      proj: biasedFcOf(proj),
    };
    return normSpatial(x, xt, p, chunk, this.dropScale(x), { watch: this.watch?.weights });
  }

  private mlpPart(x: Tensor): Tensor {
    if (runsAsParts('norm_mlp', 'layer_norm', 'linear', 'gelu'))
      return this.residual(x, this.mlp.forward(this.norm2.forward(x)));
    const [first, second] = [biasedFcOf(this.mlp.fc1), biasedFcOf(this.mlp.fc2)];
    const fcs = { w1: first.weight, b1: first.bias, w2: second.weight, b2: second.bias };
    return normMlp(x, { ...normOf(this.norm2), ...fcs }, this.dropScale(x));
  }

  private residual(x: Tensor, part: Tensor): Tensor {
    const scale = this.dropScale(x);
    return add(x, scale ? mul(part, castLike(reshape(scale, [x.shape[0]!, 1, 1, 1, 1]), part)) : part);
  }

  /** Drop path's factor for each clip, [B]; null if drop path is off. */
  private dropScale(x: Tensor): Tensor | null {
    return this.training && this.drop > 0 ? dropFactors(x.shape[0]!, this.drop, x) : null;
  }
}

function spatialFc(config: MorphMlpConfig, stage: 0 | 1 | 2 | 3): Block['fc'] {
  if (ablationWords(config).length > 0) return new AblatedFc(config, stage);
  const [channels, chunk, bias] = [config.embedDims[stage], config.segmentDim[stage], config.qkvBias];
  return stage === 3 ? new MorphFcS2(channels, chunk, bias) : new MorphFcS(channels, chunk, bias);
}

function normOf({ weight, bias }: LayerNorm): { gamma: Tensor; beta: Tensor } {
  return { gamma: weight, beta: bias };
}

function fcOf({ weight, bias }: Linear): Fc {
  return { weight, bias: bias ?? null };
}

function biasedFcOf({ weight, bias }: Linear): BiasedFc {
  if (!bias) throw new Error('Block: this FC must have a bias');
  return { weight, bias };
}

/** Names of the observable feature maps, in order: patch_embed1, blocks1, …, patch_embed4, blocks4, norm. */
export type FeatureName = 'norm' | `${'patch_embed' | 'blocks'}${1 | 2 | 3 | 4}`;

/** Called with each feature map [B, T, H, W, C] during the forward. The tensor is freed afterwards: copy what is needed. */
export type FeatureObserver = (name: FeatureName, tokens: Tensor) => void;

/**
 * The stages of the network (figure 2): stem and blocks, with a downsampling convolution between them. A network adds what it makes
 * of their tokens. Its tensors stand beside those of the stages, so that weights move from one network to another by their names.
 * @throws in the constructor if the configuration is invalid
 */
export abstract class Backbone extends Module {
  readonly patch_embed1: PatchEmbed;
  readonly blocks1: Block[];
  readonly patch_embed2: Downsample;
  readonly blocks2: Block[];
  readonly patch_embed3: Downsample;
  readonly blocks3: Block[];
  readonly patch_embed4: Downsample;
  readonly blocks4: Block[];
  /** Number of blocks, from the first, that save only their input and are recomputed in the backward. Default 0. */
  recompute = 0;
  /**
   * Element type of activations. With bf16 the clip is rounded first, all tokens and their gradients are bf16, products
   * round the f32 weights on load and accumulate in f32; the mean over the tokens, the head and the logits are f32.
   */
  precision: Precision = 'f32';

  constructor(readonly config: MorphMlpConfig) {
    super();
    expectOptions(new.target.name, config, CONFIG_KEYS);
    checkConfig(config);
    const [c1, c2, c3, c4] = config.embedDims;
    this.patch_embed1 = new PatchEmbed(c1, config.kind);
    this.blocks1 = stageBlocks(config, 0);
    this.patch_embed2 = new Downsample(c1, c2);
    this.blocks2 = stageBlocks(config, 1);
    this.patch_embed3 = new Downsample(c2, c3);
    this.blocks3 = stageBlocks(config, 2);
    this.patch_embed4 = new Downsample(c3, c4);
    this.blocks4 = stageBlocks(config, 3);
  }

  /** @param x [B, 3, T, H, W], or [B, 3, H, W] for an image model @returns logits */
  abstract forward(x: Tensor): Tensor;

  /** Whether a child module is part of the head, which learns while the rest is frozen. */
  protected isHead(name: string): boolean {
    return name === 'head';
  }

  /**
   * Freezes everything but the head, for a linear probe: those parameters take no gradient, and their modules run as in
   * evaluation (no drop path, running statistics). `false` thaws them, in the mode that the model is in.
   */
  freezeBackbone(frozen: boolean): void {
    for (const [name, module] of this.children()) {
      if (this.isHead(name)) continue;
      module.train(this.training && !frozen);
      for (const p of module.parameters()) p.requiresGrad = !frozen;
    }
  }

  /** The clips in the element type of the activations, [B, 3, T, H, W]. @throws if they are not of the model's kind */
  protected input(x: Tensor): Tensor {
    return cast(this.checkInput(x), this.precision);
  }

  private checkInput(x: Tensor): Tensor {
    const { name } = this.constructor;
    if (x.dtype !== 'f32' && x.dtype !== this.precision)
      throw new Error(`${name}: x must be f32${this.precision === 'bf16' ? ' or bf16' : ''}, got ${x.dtype}`);
    const { kind, frames } = this.config;
    const clip = kind === 'image' && x.ndim === 4 ? reshape(x, [x.shape[0]!, 3, 1, x.shape[2]!, x.shape[3]!]) : x;
    const expected = kind === 'image' ? 1 : frames;
    const [, channels, t, h = 0, w = 0] = clip.shape;
    if (clip.ndim === 5 && channels === 3 && t === expected && h >= 32 && w >= 32) return clip;
    throw new Error(`${name}: x must be [B, 3, ${expected}, H, W] with H and W of at least 32, got ${show(x.shape)}`);
  }

  /**
   * The tokens of the last stage, [B, T, H, W, C].
   * @param observe is called with each feature map
   * @param stages receives the tokens of every stage, which are otherwise freed on the way
   */
  protected tokens(x: Tensor, observe?: FeatureObserver, stages?: Tensor[]): Tensor {
    const parts = [
      { embed: this.patch_embed1, blocks: this.blocks1 },
      { embed: this.patch_embed2, blocks: this.blocks2 },
      { embed: this.patch_embed3, blocks: this.blocks3 },
      { embed: this.patch_embed4, blocks: this.blocks4 },
    ];
    return parts.reduce((before, { embed, blocks }, i) => {
      const stage = (i + 1) as 1 | 2 | 3 | 4;
      const start = stages && i > 0 ? embed.forward(before) : release(before, x, embed.forward(before));
      observe?.(`patch_embed${stage}`, start);
      const end = blocks.reduce((tokens, block) => release(tokens, x, this.runBlock(block, tokens)), start);
      observe?.(`blocks${stage}`, end);
      stages?.push(end);
      return end;
    }, x);
  }

  private runBlock(block: Block, tokens: Tensor): Tensor {
    const again = block.index < this.recompute && this.training && isGradEnabled();
    return again ? checkpoint((t) => block.forward(t), tokens) : block.forward(tokens);
  }
}

/**
 * The classifier (figure 2): the stages, LayerNorm, mean over all tokens and a linear head. `create` makes one from a published variant.
 * @throws in the constructor if the configuration is invalid
 */
export class MorphMLP extends Backbone {
  readonly norm: LayerNorm;
  readonly head: Linear;

  constructor(config: MorphMlpConfig) {
    super(config);
    this.norm = new LayerNorm(config.embedDims[3]);
    this.head = fullyConnected(config.embedDims[3], config.numClasses);
    this.nameTensors();
  }

  /**
   * @param x [B, 3, T, H, W], or [B, 3, H, W] for an image model; any H and W of at least 32
   * @returns logits [B, classes]
   */
  forward(x: Tensor, observe?: FeatureObserver): Tensor {
    return scope(() => this.classify(this.tokens(this.input(x), observe), observe));
  }

  private classify(tokens: Tensor, observe?: FeatureObserver): Tensor {
    const normed = this.norm.forward(tokens);
    observe?.('norm', normed);
    return this.head.forward(meanPool(normed));
  }
}

/** Frees the input of a layer after its forward, unless it belongs to the caller; the graph keeps the tensors that it needs. */
function release(before: Tensor, callers: Tensor, after: Tensor): Tensor {
  if (before !== callers && before !== after) before.dispose();
  return after;
}

function stageBlocks(config: MorphMlpConfig, stage: 0 | 1 | 2 | 3): Block[] {
  const total = config.layers.reduce((a, b) => a + b, 0);
  const first = config.layers.slice(0, stage).reduce((a, b) => a + b, 0);
  const rate = (i: number) => (total > 1 ? (config.dropPath * (first + i)) / (total - 1) : 0);
  return Array.from({ length: config.layers[stage] }, (_, i) => new Block(config, stage, rate(i), first + i));
}

/**
 * Creates a model by its name in `VARIANTS`, with overrides of its configuration. `seedInit` seeds the initial weights.
 * @throws if the name is unknown or the configuration is invalid
 */
export function create(name: string, overrides: Partial<MorphMlpConfig> = {}): MorphMLP {
  const variant = VARIANTS[name];
  if (!variant) throw new Error(`model '${name}' is not one of ${Object.keys(VARIANTS).join(', ')}`);
  expectOptions(`model '${name}'`, overrides, CONFIG_KEYS);
  return new MorphMLP({ ...variant.config, ...overrides });
}
