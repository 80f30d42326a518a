import { isGradEnabled, record } from '../core/autograd';
import { backend, isReplaced, kernels } from '../core/dispatch';
import type { NormSpatialMix } from '../core/kernels';
import { emptyLike, floatsLike, show, type Shape, type Tensor } from '../core/tensor';
import { expectDims, expectFloats, expectInteger, expectShape } from './check';
import { geluBackward } from './gelu';

/** An FC in PyTorch's layout: weight [out, in], bias [out] or null. */
export interface Fc {
  weight: Tensor;
  bias: Tensor | null;
}

/** An FC that has a bias. */
export type BiasedFc = Fc & { bias: Tensor };

/** The parameters of `normSpatial`. */
export interface NormSpatialParameters {
  gamma: Tensor;
  beta: Tensor;
  /** Height, width and channel FC; or, for stage 4, the strided FC and the channel FC. All [C, C]. */
  branches: readonly Fc[];
  /** The FCs that weigh the branches: [hidden, C] and [C · branches, hidden]. */
  fc1: BiasedFc;
  fc2: BiasedFc;
  /** [C, C] */
  proj: BiasedFc;
}

/** Called with the branches' weights [B, C, branches] before they are used; a returned tensor replaces them. */
export type WatchWeights = (weights: Tensor) => Tensor | void;

function checkSizes(p: NormSpatialParameters, channels: number): void {
  const [n, hidden] = [p.branches.length, p.fc1.bias.size];
  expectShape('normSpatial', { gamma: p.gamma, beta: p.beta, 'proj bias': p.proj.bias }, [channels]);
  for (const { weight, bias } of p.branches) {
    expectShape('normSpatial', { 'branch weight': weight }, [channels, channels]);
    expectShape('normSpatial', { 'branch bias': bias }, [channels]);
  }
  expectShape('normSpatial', { 'proj weight': p.proj.weight }, [channels, channels]);
  expectShape('normSpatial', { 'fc1 bias': p.fc1.bias }, [hidden]);
  expectShape('normSpatial', { 'fc1 weight': p.fc1.weight }, [hidden, channels]);
  expectShape('normSpatial', { 'fc2 weight': p.fc2.weight }, [channels * n, hidden]);
  expectShape('normSpatial', { 'fc2 bias': p.fc2.bias }, [channels * n]);
}

function checkNormSpatial(x: Tensor, xt: Tensor, p: NormSpatialParameters, chunk: number, scale: Tensor | null): void {
  const tensors = Object.fromEntries(parameterList(p).map((t, i) => [`parameter ${i}`, t]));
  expectFloats('normSpatial', 'norm_spatial', { x, xt }, { scale, ...tensors });
  expectDims('normSpatial', 'x', x, 5, '[B, T, H, W, C]');
  expectShape('normSpatial', { xt }, x.shape);
  expectShape('normSpatial', { scale }, [x.shape[0] as number]);
  if (p.branches.length !== 2 && p.branches.length !== 3)
    throw new Error(`normSpatial: expected 2 or 3 branches, got ${p.branches.length}`);
  if (x.size === 0) throw new Error(`normSpatial: x has no tokens, its shape is ${show(x.shape)}`);
  const channels = x.shape[4] as number;
  expectInteger('normSpatial', 'chunk', chunk, 1);
  if (channels % chunk !== 0) throw new Error(`normSpatial: ${channels} channels do not divide into ${chunk} groups`);
  checkSizes(p, channels);
}

/** All parameters, in the order of the op's inputs. */
function parameterList(p: NormSpatialParameters): (Tensor | null)[] {
  const fcs = [...p.branches, p.fc1, p.fc2, p.proj];
  return [p.gamma, p.beta, ...fcs.flatMap(({ weight, bias }) => [weight, bias])];
}

/** Sizes shared by the kernels of one call: the shape arguments, and the sizes of the FCs that weigh the branches. */
interface Call {
  at: Pick<NormSpatialMix, 'clips' | 'steps' | 'height' | 'width' | 'channels' | 'chunk' | 'strided'>;
  clips: number;
  channels: number;
  hidden: number;
  branches: number;
}

function callOf(x: Tensor, p: NormSpatialParameters, chunk: number): Call {
  const [clips, steps, height, width, channels] = x.shape as [number, number, number, number, number];
  const branches = p.branches.length;
  const at = { clips, steps, height, width, channels, chunk, strided: branches === 2 };
  return { at, clips, channels, hidden: p.fc1.bias.size, branches };
}

/** The branches' FCs as kernel arguments. */
const fcsOf = (p: NormSpatialParameters) => ({
  weight: p.branches.map(({ weight }) => weight),
  bias: p.branches.map(({ bias }) => bias),
});

/** Computes the branches [branches, B, T, H, W, C], LN's statistics, and the mean over the tokens of the branches' sum, [B, C]. */
function computeBranches(xt: Tensor, p: NormSpatialParameters, { at, clips, channels, branches }: Call, eps: number) {
  const rows = xt.size / channels;
  const branch = emptyLike(xt, [branches, ...xt.shape]);
  const [mean, rstd] = [floatsLike(xt, [rows]), floatsLike(xt, [rows])];
  const pooled = floatsLike(xt, [clips, channels]);
  const [{ gamma, beta }, { weight, bias }] = [p, fcsOf(p)];
  kernels.normSpatialBranches({ eps, x: xt, gamma, beta, weight, bias, branch, mean, rstd, pooled, ...at });
  return { mean, rstd, branch, pooled };
}

/** Computes the branches' weights, softmax(fc2(gelu(fc1(pooled)))), and the tensors that its backward reads. */
function computeWeights(
  pooled: Tensor,
  p: NormSpatialParameters,
  { clips, channels, hidden, branches }: Call,
  watch: WatchWeights | undefined,
) {
  const like = (shape: Shape) => emptyLike(pooled, shape);
  const [z, activated] = [like([clips, hidden]), like([clips, hidden])];
  const [scores, weights] = [like([clips, channels * branches]), like([clips, channels, branches])];
  const { fc1, fc2 } = p;
  const first = { rows: clips, n: hidden, k: channels, gelu: true };
  kernels.linearForward({ x: pooled, weight: fc1.weight, bias: fc1.bias, y: activated, z, ...first });
  const second = { rows: clips, n: channels * branches, k: hidden, gelu: false };
  kernels.linearForward({ x: activated, weight: fc2.weight, bias: fc2.bias, y: scores, z: null, ...second });
  kernels.softmaxForward({ rows: clips * channels, cols: branches, x: scores, y: weights });
  scores.dispose();
  return { z, activated, weights: watch ? watched(weights, watch) : weights };
}

/** Calls `watch` with the weights; returns its replacement, or else the weights. */
function watched(weights: Tensor, watch: WatchWeights): Tensor {
  const replaced = watch(weights);
  if (!replaced || replaced === weights) return weights;
  expectShape('normSpatial', { "weights in place of the branches' own": replaced }, weights.shape);
  weights.dispose();
  return replaced;
}

/** Wraps a watch so that it cannot replace the weights: the backward is that of the softmax. */
const lookingOnly =
  (watch: WatchWeights): WatchWeights =>
  (weights) => {
    if (watch(weights)) throw new Error('normSpatial: weights in place of its own have no gradient: use noGrad');
  };

/** Tensors that the backward reads; `fcs` are the weights of the branches' FCs. */
type Saved = Record<
  | 'xt'
  | 'gamma'
  | 'beta'
  | 'fc1'
  | 'fc2'
  | 'proj'
  | 'mean'
  | 'rstd'
  | 'branch'
  | 'pooled'
  | 'z'
  | 'activated'
  | 'weights',
  Tensor
> & { scale: Tensor | null; fcs: readonly Tensor[] };

/**
 * The spatial part of a block: x + scale · proj(Σᵢ wᵢ ⊙ FCᵢ(LN(xt))) with w = softmax(fc2(gelu(fc1(mean over all tokens of
 * Σᵢ FCᵢ(LN(xt)))))) (MorphMLP, section 3.2). Equivalent to layerNorm, morphFc and linear for the branches, meanPool, the two FCs,
 * softmax, reweight, linear and add. Of the intermediate activations only the branches are written to memory, and without a
 * gradient not even they.
 * @param x [B, T, H, W, C], the residual
 * @param xt [B, T, H, W, C], the input of the LayerNorm: x itself for images
 * @param chunk tokens in a chunk of the morph FCs (see `morphFc`)
 * @param scale [B] (drop path: 0 or 1/(1-p) for each clip) or null for 1
 * @param watch called with the weights w; may replace them if no gradient is needed
 * @returns the shape of x
 */
export function normSpatial(
  x: Tensor,
  xt: Tensor,
  p: NormSpatialParameters,
  chunk: number,
  scale: Tensor | null = null,
  { eps = 1e-5, watch }: { eps?: number; watch?: WatchWeights | undefined } = {},
): Tensor {
  checkNormSpatial(x, xt, p, chunk, scale);
  const call = callOf(x, p, chunk);
  const whole = computedWhole(x, xt, p, call, scale, { eps, watch });
  if (whole) return whole;
  if (!isGradEnabled() || ![x, xt, ...parameterList(p)].some((t) => t?.requiresGrad))
    return withoutBackward(x, xt, p, call, scale, { eps, watch });
  const made = computeBranches(xt, p, call, eps);
  const weighed = computeWeights(made.pooled, p, call, watch && lookingOnly(watch));
  const y = emptyLike(x);
  const { branch } = made;
  const { weight: proj, bias: projBias } = p.proj;
  kernels.normSpatialMix({ x, branch, weights: weighed.weights, scale, proj, projBias, y, ...call.at });
  const weights = { gamma: p.gamma, beta: p.beta, fc1: p.fc1.weight, fc2: p.fc2.weight, proj: p.proj.weight };
  const fcs = p.branches.map(({ weight }) => weight);
  const saved: Saved = { xt, scale: scale && scale.detach(), fcs, ...weights, ...made, ...weighed };
  return recorded(y, x, p, call, saved);
}

/** The op by a layer that replaces it; null if there is none. @throws if `watch` asks for the weights, which such a layer keeps */
function computedWhole(
  x: Tensor,
  xt: Tensor,
  p: NormSpatialParameters,
  call: Call,
  scale: Tensor | null,
  { eps, watch }: { eps: number; watch: WatchWeights | undefined },
): Tensor | null {
  if (!isReplaced('norm_spatial')) return null;
  if (watch)
    throw new Error('normSpatial: a kernel that replaces the whole op does not show the weights of its branches');
  const y = emptyLike(x);
  const { gamma, beta, fc1, fc2, proj } = p;
  const weights = { fc1: fc1.weight, fc1Bias: fc1.bias, fc2: fc2.weight, fc2Bias: fc2.bias };
  const projection = { proj: proj.weight, projBias: proj.bias };
  const args = {
    ...call.at,
    hidden: call.hidden,
    eps,
    x,
    xt,
    gamma,
    beta,
    ...fcsOf(p),
    ...weights,
    ...projection,
    scale,
    y,
  };
  if (!backend.computeWhole('norm_spatial', args))
    throw new Error('normSpatial: the layer that replaces it did not run');
  const branches = [0, 1, 2].flatMap((i) => [p.branches[i]?.weight ?? null, p.branches[i]?.bias ?? null]);
  const fcs = [fc1, fc2, proj].flatMap(({ weight, bias }) => [weight, bias]);
  const inputs = [x, xt, gamma, beta, ...branches, ...fcs, scale];
  return record({ op: 'normSpatial', inputs, output: y, backward: null });
}

/** Inference: computes the pooled mean first, then the output, so that the branches are never stored. */
function withoutBackward(
  x: Tensor,
  xt: Tensor,
  p: NormSpatialParameters,
  call: Call,
  scale: Tensor | null,
  { eps, watch }: { eps: number; watch: WatchWeights | undefined },
): Tensor {
  const like = (shape: Shape) => floatsLike(xt, shape);
  const [mean, rstd] = [like([xt.size / call.channels]), like([xt.size / call.channels])];
  const pooled = like([call.clips, call.channels]);
  const [{ gamma, beta }, { weight, bias }] = [p, fcsOf(p)];
  kernels.normSpatialPool({ eps, x: xt, gamma, beta, weight, bias, mean, rstd, pooled, ...call.at });
  const weighed = computeWeights(pooled, p, call, watch);
  const y = emptyLike(x);
  const { weights } = weighed;
  const { weight: proj, bias: projBias } = p.proj;
  const fcs = { weight, bias, proj, projBias };
  kernels.normSpatialApply({ x, xt, gamma, beta, mean, rstd, weights, scale, y, ...fcs, ...call.at });
  for (const t of [mean, rstd, pooled, ...Object.values(weighed)]) t.dispose();
  return y;
}

/** Records the call in the graph. If x and xt are the same tensor, it is one input, whose gradient includes the residual's. */
function recorded(y: Tensor, x: Tensor, p: NormSpatialParameters, call: Call, saved: Saved): Tensor {
  const one = x === saved.xt;
  return record({
    op: 'normSpatial',
    inputs: [one ? null : x, saved.xt, ...parameterList(p)],
    output: y,
    saved,
    backward: (dy, kept, needs) => [one ? null : dy, ...normSpatialBackward(dy, kept, call, one, needs)],
  });
}

/** Gradients in the order of the inputs after x: xt, gamma, beta, and those of the branches' FCs, fc1, fc2 and proj. */
function normSpatialBackward(
  dy: Tensor,
  saved: Saved,
  call: Call,
  residual: boolean,
  needs: readonly boolean[],
): (Tensor | null)[] {
  const { dmix, dweights, proj } = mixBackward(dy, saved, call);
  const { dpooled, fc1, fc2 } = weightsBackward(dweights, saved, call);
  const { xt, gamma, beta, mean, rstd, weights, fcs } = saved;
  const [dx, dgamma, dbeta] = [emptyLike(xt), emptyLike(gamma), emptyLike(beta)];
  const dweight = fcs.map((fc) => emptyLike(fc));
  const dbias = fcs.map((_, i) => (needs[5 + 2 * i] ? emptyLike(beta) : null));
  const from = { x: xt, gamma, beta, mean, rstd, weights, dmix, dpooled, weight: fcs, residual: residual ? dy : null };
  kernels.normSpatialBranchesBackward({ dx, dgamma, dbeta, dweight, dbias, ...from, ...call.at });
  return [dx, dgamma, dbeta, ...dweight.flatMap((d, i) => [d, dbias[i]!]), ...fc1, ...fc2, ...proj];
}

/** Gradients of the mixed branches, their weights and the projection. */
function mixBackward(dy: Tensor, s: Saved, call: Call) {
  const [dmix, dweights] = [emptyLike(dy), emptyLike(s.weights)];
  const [dproj, dprojBias] = [emptyLike(s.proj), emptyLike(s.beta)];
  const { branch, weights, scale, proj } = s;
  kernels.normSpatialMixBackward({ branch, weights, scale, proj, dy, dmix, dweights, dproj, dprojBias, ...call.at });
  return { dmix, dweights, proj: [dproj, dprojBias] };
}

/** Gradients of the pooled branches and of the two FCs that weigh them. */
function weightsBackward(dweights: Tensor, s: Saved, { clips, channels, hidden, branches }: Call) {
  const [dscores, n] = [emptyLike(dweights), channels * branches];
  kernels.softmaxBackward({ rows: clips * channels, cols: branches, y: s.weights, dy: dweights, dx: dscores });
  const [dactivated, dpooled] = [emptyLike(s.activated), emptyLike(s.pooled)];
  const fc1 = { dweight: emptyLike(s.fc1), dbias: emptyLike(dweights, [hidden]) };
  const fc2 = { dweight: emptyLike(s.fc2), dbias: emptyLike(dweights, [n]) };
  const second = { rows: clips, n, k: hidden };
  kernels.linearBackward({ x: s.activated, weight: s.fc2, dy: dscores, dx: dactivated, ...fc2, ...second });
  const dz = geluBackward(dactivated, s.z);
  const first = { rows: clips, n: hidden, k: channels };
  kernels.linearBackward({ x: s.pooled, weight: s.fc1, dy: dz, dx: dpooled, ...fc1, ...first });
  return { dpooled, fc1: Object.values(fc1), fc2: Object.values(fc2) };
}
