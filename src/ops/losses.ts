import { expectOptions } from '../core/options';
import { scope } from '../core/scope';
import { show, type Tensor } from '../core/tensor';
import { add, div, mul, sub } from './arithmetic';
import { expectFloats, expectShape } from './check';
import { gt, lt, where } from './compare';
import { abs, clamp, exp, log, pow, sigmoid, softplus } from './pointwise';
import { mean, norm, sum } from './reduce';

/** How a loss joins those of its elements: their mean, their sum, or not at all. */
export type Reduction = 'mean' | 'sum' | 'none';

/** Options of a loss. */
export interface LossOptions {
  /** Default `mean`. */
  reduction?: Reduction;
}

/** Joins the losses of elements. @throws for an unknown reduction */
export function reduceLoss(op: string, loss: Tensor, reduction: Reduction): Tensor {
  if (reduction === 'mean') return mean(loss);
  if (reduction === 'sum') return sum(loss);
  if (reduction === 'none') return loss;
  throw new Error(`${op}: reduction must be mean, sum or none, got ${String(reduction)}`);
}

/** Checks two operands of one shape, and joins the losses of their elements. */
function elementwise(op: string, operands: Record<string, Tensor>, reduction: Reduction, loss: () => Tensor): Tensor {
  expectFloats(op, 'pointwise', operands);
  const [first] = Object.values(operands);
  expectShape(op, operands, first!.shape);
  return scope(() => reduceLoss(op, loss(), reduction));
}

/** The squared error (x − target)². @param x of any shape @param target of x's shape */
export function mseLoss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  expectOptions('mseLoss', options, { reduction: true });
  const { reduction = 'mean' } = options;
  return elementwise('mseLoss', { x, target }, reduction, () => pow(sub(x, target), 2));
}

/** The absolute error |x − target|. @param target of x's shape */
export function l1Loss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  expectOptions('l1Loss', options, { reduction: true });
  const { reduction = 'mean' } = options;
  return elementwise('l1Loss', { x, target }, reduction, () => abs(sub(x, target)));
}

/** Options of `smoothL1Loss`. */
export interface SmoothL1Options extends LossOptions {
  /** The error at which the loss turns from quadratic to linear; above 0, default 1. */
  beta?: number;
}

/** With d = |x − target|: d²/(2β) where d < β, else d − β/2. @param target of x's shape */
export function smoothL1Loss(x: Tensor, target: Tensor, options: SmoothL1Options = {}): Tensor {
  expectOptions('smoothL1Loss', options, { beta: true, reduction: true });
  const { beta = 1, reduction = 'mean' } = options;
  if (!(beta > 0)) throw new Error(`smoothL1Loss: beta must be above 0, got ${beta}`);
  return elementwise('smoothL1Loss', { x, target }, reduction, () => {
    const d = abs(sub(x, target));
    return where(lt(d, beta), mul(pow(d, 2), 0.5 / beta), sub(d, beta / 2));
  });
}

/** Options of `bceWithLogits`. */
export interface BceOptions extends LossOptions {
  /** Factor of each element's loss; broadcasts with the logits. */
  weight?: Tensor;
  /** Factor of the loss of positives; broadcasts with the logits, as one for each class. */
  posWeight?: Tensor;
}

/**
 * Binary cross entropy of sigmoid(logits), without overflow: −(t log σ(z) + (1 − t) log(1 − σ(z))).
 * @param targets t from 0 to 1, of the shape of the logits
 */
export function bceWithLogits(logits: Tensor, targets: Tensor, options: BceOptions = {}): Tensor {
  expectOptions('bceWithLogits', options, { weight: true, posWeight: true, reduction: true });
  const { weight, posWeight, reduction = 'mean' } = options;
  return elementwise('bceWithLogits', { logits, targets }, reduction, () => {
    const negative = sub(softplus(logits), mul(logits, targets)); // softplus(z) = -log(1 - sigmoid(z))
    const loss = posWeight ? add(negative, mul(mul(sub(posWeight, 1), targets), softplus(mul(logits, -1)))) : negative;
    return weight ? mul(loss, weight) : loss;
  });
}

/** Options of `focalLoss`. */
export interface FocalOptions extends LossOptions {
  /** Share of positives in the balance of classes, from 0 to 1; negative: no balance. Default 0.25. */
  alpha?: number;
  /** Exponent that reduces the loss of easy elements; 0 or more, default 2. */
  gamma?: number;
}

/**
 * The focal loss of sigmoid(logits) (Lin et al., ICCV 2017): α_t (1 − p_t)^γ · binary cross entropy.
 * @param targets 0 or 1, of the shape of the logits
 */
export function focalLoss(logits: Tensor, targets: Tensor, options: FocalOptions = {}): Tensor {
  expectOptions('focalLoss', options, { alpha: true, gamma: true, reduction: true });
  const { alpha = 0.25, gamma = 2, reduction = 'mean' } = options;
  if (!(alpha <= 1 && gamma >= 0))
    throw new Error(`focalLoss: alpha must be at most 1 and gamma 0 or more, got ${alpha} and ${gamma}`);
  return elementwise('focalLoss', { logits, targets }, reduction, () => {
    const sign = sub(1, mul(targets, 2)); // 1 - p_t = sigmoid(-z) of a positive, sigmoid(z) of a negative
    const missed = mul(logits, sign);
    const loss = mul(pow(sigmoid(missed), gamma), softplus(missed));
    return alpha < 0 ? loss : mul(loss, add(mul(targets, 2 * alpha - 1), 1 - alpha));
  });
}

/** Options of `klDiv`. */
export interface KlOptions {
  /** `batchMean`, the sum divided by the first dimension, is the divergence of distributions; default `mean`, as in PyTorch. */
  reduction?: Reduction | 'batchMean';
  /** The targets are log-probabilities too. */
  logTarget?: boolean;
}

/**
 * The Kullback-Leibler divergence: target · (log target − x) for each element.
 * @param x log-probabilities @param target probabilities, of x's shape
 */
export function klDiv(x: Tensor, target: Tensor, options: KlOptions = {}): Tensor {
  expectOptions('klDiv', options, { reduction: true, logTarget: true });
  const { reduction = 'mean', logTarget = false } = options;
  const batch = x.shape[0] ?? 1;
  return scope(() => {
    const total = elementwise('klDiv', { x, target }, reduction === 'batchMean' ? 'sum' : reduction, () => {
      if (logTarget) return mul(exp(target), sub(target, x));
      const present = gt(target, 0); // 0 log 0 is 0
      return sub(mul(target, log(where(present, target, 1))), mul(target, x));
    });
    return reduction === 'batchMean' ? div(total, batch) : total;
  });
}

/** Options of `tripletMarginLoss`. */
export interface TripletOptions extends LossOptions {
  /** Default 1. */
  margin?: number;
  /** Order of the norm; default 2. */
  p?: number;
}

/**
 * max(‖anchor − positive‖ − ‖anchor − negative‖ + margin, 0), with norms over the last dimension (of the differences plus 1e-6, as in
 * PyTorch).
 * @param anchor [..., D], as `positive` and `negative`
 */
export function tripletMarginLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: TripletOptions = {},
): Tensor {
  expectOptions('tripletMarginLoss', options, { margin: true, p: true, reduction: true });
  const { margin = 1, p = 2, reduction = 'mean' } = options;
  if (anchor.ndim === 0) throw new Error(`tripletMarginLoss: anchor must be [..., D], got shape ${show(anchor.shape)}`);
  return elementwise('tripletMarginLoss', { anchor, positive, negative }, reduction, () => {
    const distance = (other: Tensor) => norm(add(sub(anchor, other), 1e-6), { p, axis: -1 });
    return clamp(add(sub(distance(positive), distance(negative)), margin), 0);
  });
}
