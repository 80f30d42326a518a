/** Writes layers as ONNX nodes (opset 17), as in models/morphmlp.ts. All sizes except the batch are fixed. */
import { AblatedFc } from '../ablated_fc';
import type { Downsample, PatchEmbed } from '../embed';
import type { Block, MorphFcS, MorphFcS2, MorphFcT } from '../morphmlp';
import type { BatchNorm, Conv3d, LayerNorm, Linear } from '../../nn/layers';
import type { Tensor } from '../../core/tensor';
import type { Graph } from '../../formats/onnx/graph';

/** The size of a stage's tokens, [B, t, h, w, c]. */
export interface Tokens {
  t: number;
  h: number;
  w: number;
  c: number;
}

/** Side of a picture after a stride of 2. */
export const half = (n: number) => Math.floor((n - 1) / 2) + 1;

/** Writes a model's layers into a graph. `where` is the layer's PyTorch name. */
export class Writer {
  constructor(private readonly g: Graph) {}

  linear(x: string, where: string, { weight, bias, inFeatures: k, outFeatures: n }: Linear): string {
    const values = weight.floats();
    const turned = new Float32Array(values.length); // MatMul takes [in, out]
    for (let row = 0; row < n; row++) for (let i = 0; i < k; i++) turned[i * n + row] = values[row * k + i]!;
    const y = this.g.node('MatMul', where, [x, this.g.weight(`${where}.weight`, [k, n], turned)]);
    return bias ? this.g.node('Add', where, [y, this.tensor(`${where}.bias`, bias)]) : y;
  }

  layerNorm(x: string, where: string, { weight, bias }: LayerNorm): string {
    const inputs = [x, this.tensor(`${where}.weight`, weight), this.tensor(`${where}.bias`, bias)];
    return this.g.node('LayerNormalization', where, inputs, { axis: -1, epsilon: { float: 1e-5 } });
  }

  gelu(x: string, where: string): string {
    const erf = this.g.node('Erf', where, [this.g.node('Mul', where, [x, this.g.scalar(Math.SQRT1_2)])]);
    const gate = this.g.node('Add', where, [erf, this.g.scalar(1)]);
    return this.g.node('Mul', where, [this.g.node('Mul', where, [x, gate]), this.g.scalar(0.5)]);
  }

  /** A convolution from [B, C, T, H, W] to [B, C', T', H', W']. */
  conv(x: string, where: string, { weight, bias, kernel, options: { stride, padding } }: Conv3d): string {
    const inputs = [x, this.tensor(`${where}.weight`, weight), this.tensor(`${where}.bias`, bias)];
    return this.g.node('Conv', where, inputs, {
      kernel_shape: kernel,
      strides: stride,
      pads: [...padding, ...padding],
    });
  }

  batchNorm(x: string, where: string, { weight, bias, running_mean, running_var }: BatchNorm): string {
    const named = { weight, bias, running_mean, running_var };
    const inputs = Object.entries(named).map(([name, t]) => this.tensor(`${where}.${name}`, t));
    return this.g.node('BatchNormalization', where, [x, ...inputs], { epsilon: { float: 1e-5 } });
  }

  stem(x: string, where: string, { proj1, norm1, proj2, norm2 }: PatchEmbed): string {
    const first = this.batchNorm(this.conv(x, `${where}.proj1`, proj1), `${where}.norm1`, norm1);
    const second = this.conv(this.gelu(first, where), `${where}.proj2`, proj2);
    return this.turn(this.batchNorm(second, `${where}.norm2`, norm2), where, [0, 2, 3, 4, 1]);
  }

  downsample(x: string, where: string, { proj, norm }: Downsample): string {
    const y = this.conv(this.turn(x, where, [0, 4, 1, 2, 3]), `${where}.proj`, proj);
    return this.layerNorm(this.turn(y, where, [0, 2, 3, 4, 1]), `${where}.norm`, norm);
  }

  block(x: string, where: string, at: Tokens, block: Block): string {
    const { t_fc, t_norm1, norm1, fc, norm2, mlp } = block;
    if (fc instanceof AblatedFc)
      throw new Error(`only the published network is written as ONNX; this model has ${fc.switches}`);
    const time =
      t_fc && t_norm1 && this.temporal(this.layerNorm(x, `${where}.t_norm1`, t_norm1), `${where}.t_fc`, at, t_fc);
    const xt = time ? this.g.node('Add', where, [x, time]) : x;
    const mixed = this.spatial(this.layerNorm(xt, `${where}.norm1`, norm1), `${where}.fc`, at, fc);
    const y = this.g.node('Add', where, [x, mixed]);
    const hidden = this.gelu(
      this.linear(this.layerNorm(y, `${where}.norm2`, norm2), `${where}.mlp.fc1`, mlp.fc1),
      where,
    );
    return this.g.node('Add', where, [y, this.linear(hidden, `${where}.mlp.fc2`, mlp.fc2)]);
  }

  /** The mean over all tokens, [B, C]. */
  mean(x: string, where: string, { t, h, w, c }: Tokens): string {
    return this.g.node('ReduceMean', where, [this.shape(x, where, [-1, t * h * w, c])], { axes: [1], keepdims: 0 });
  }

  private spatial(x: string, where: string, at: Tokens, fc: MorphFcS | MorphFcS2): string {
    const mix = (name: string, layer: Linear, vertical: boolean, strided: boolean) =>
      this.morph(x, `${where}.${name}`, at, { layer, chunk: fc.chunk, vertical, strided });
    const channel = this.linear(x, `${where}.mlp_c`, fc.mlp_c);
    const branches =
      'mlp_w' in fc
        ? [mix('mlp_h', fc.mlp_h, true, false), mix('mlp_w', fc.mlp_w, false, false), channel]
        : [mix('mlp_h', fc.mlp_h, false, true), channel];
    return this.linear(this.weigh(branches, `${where}.reweight`, at, fc.reweight), `${where}.proj`, fc.proj);
  }

  /** The weighted sum of the branches, with weights softmax(fc2(gelu(fc1(mean of their sum)))). */
  private weigh(branches: string[], where: string, at: Tokens, { fc1, fc2 }: MorphFcS['reweight']): string {
    const sum = branches.reduce((a, b) => this.g.node('Add', where, [a, b]));
    const hidden = this.gelu(this.linear(this.mean(sum, where, at), `${where}.fc1`, fc1), where);
    const scores = this.shape(this.linear(hidden, `${where}.fc2`, fc2), where, [-1, at.c, branches.length]);
    const weights = this.g.node('Softmax', where, [scores], { axis: 2 });
    const weighed = branches.map((branch, i) => {
      const column = this.g.node('Gather', where, [weights, this.g.ints([i])], { axis: 2 });
      return this.g.node('Mul', where, [branch, this.shape(column, where, [-1, 1, 1, 1, at.c])]);
    });
    return weighed.reduce((a, b) => this.g.node('Add', where, [a, b]));
  }

  /** MorphFC_s of one branch: pads the frame's tokens, gathers one row per chunk and group, applies the FC, and scatters back. */
  private morph(
    x: string,
    where: string,
    { t, h, w, c }: Tokens,
    { layer, chunk, vertical, strided }: { layer: Linear; chunk: number; vertical: boolean; strided: boolean },
  ): string {
    const [n, count, run] = [h * w, Math.ceil((h * w) / chunk), c / chunk];
    const missing = count * chunk - n;
    const upright = (from: string, [a, b]: [number, number]) =>
      vertical ? this.turn(this.shape(from, where, [-1, a, b, c]), where, [0, 2, 1, 3]) : from;
    let y = this.shape(upright(x, [h, w]), where, [-1, n, c]);
    if (missing > 0) y = this.g.node('Pad', where, [y, this.g.ints([0, 0, 0, 0, missing, 0])]);
    y = this.shape(y, where, strided ? [-1, chunk, count, chunk, run] : [-1, count, chunk, chunk, run]);
    y = this.turn(y, where, strided ? [0, 2, 3, 1, 4] : [0, 1, 3, 2, 4]);
    y = this.linear(this.shape(y, where, [-1, c]), where, layer);
    y = this.turn(
      this.shape(y, where, [-1, count, chunk, chunk, run]),
      where,
      strided ? [0, 3, 1, 2, 4] : [0, 1, 3, 2, 4],
    );
    y = this.shape(y, where, [-1, count * chunk, c]);
    if (missing > 0) y = this.g.node('Slice', where, [y, this.g.ints([0]), this.g.ints([n]), this.g.ints([1])]);
    return this.shape(upright(y, [w, h]), where, [-1, t, h, w, c]);
  }

  private temporal(x: string, where: string, { t, h, w, c }: Tokens, { mlp_t, proj, groups }: MorphFcT): string {
    const [n, run] = [h * w, c / groups];
    const rows = this.turn(this.shape(x, where, [-1, t, n, groups, run]), where, [0, 2, 3, 1, 4]);
    const y = this.linear(this.shape(rows, where, [-1, t * run]), `${where}.mlp_t`, mlp_t);
    const back = this.turn(this.shape(y, where, [-1, n, groups, t, run]), where, [0, 3, 1, 2, 4]);
    return this.linear(this.shape(back, where, [-1, t, h, w, c]), `${where}.proj`, proj);
  }

  private shape(x: string, where: string, dims: readonly number[]): string {
    return this.g.node('Reshape', where, [x, this.g.ints(dims)]);
  }

  private turn(x: string, where: string, perm: readonly number[]): string {
    return this.g.node('Transpose', where, [x], { perm });
  }

  private tensor(name: string, t: Tensor): string {
    return this.g.weight(name, t.shape, t.floats());
  }
}
