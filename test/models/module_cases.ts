import { readFileSync } from 'node:fs';
import path from 'node:path';
import { backward } from '../../src/core/autograd';
import { fillParameter, value, type Digest } from '../../src/formats/reference';
import type { MorphMlpConfig } from '../../src/models/config';
import { Downsample, PatchEmbed } from '../../src/models/embed';
import { Block, Mlp, MorphFcS, MorphFcS2, MorphFcT } from '../../src/models/morphmlp';
import { LayerNorm } from '../../src/nn/layers';
import { Module } from '../../src/nn/module';
import { gelu } from '../../src/ops/gelu';
import { scope } from '../../src/core/scope';
import { tensor, type Tensor } from '../../src/core/tensor';

export interface Case {
  x: number[];
  y: number[];
  params: Record<string, number[]>;
  train: boolean;
  digest?: Record<string, Digest>;
}

interface Layer extends Module {
  forward(x: Tensor): Tensor;
}

export const fixture = (name: string) => path.join(__dirname, '..', 'fixtures', 'reference', name);
export const read = (name: string) =>
  Object.entries(JSON.parse(readFileSync(fixture(name), 'utf8')) as Record<string, Case>);

class Gelu extends Module {
  forward = gelu;
}

function block(channels: number, chunk: number, stage: 0 | 3): Block {
  const config: MorphMlpConfig = {
    ...{ kind: 'video', layers: [1, 1, 1, 1], frames: 16, numClasses: 8, mlpRatio: 3, qkvBias: true, dropPath: 0 },
    ...{ embedDims: [channels, channels, channels, channels], segmentDim: [chunk, chunk, chunk, chunk] },
  };
  return new Block(config, stage, 0);
}

/** The layer a case is about. Chunk lengths are those of the reference program for these small sizes. */
function build(name: string, { x, params }: Case): Layer {
  const channels = x[x.length - 1] as number;
  const bias = 'mlp_h.bias' in params;
  const real = /^stage(\d)_morph_fc_(s2?|t)/.exec(name);
  if (real) {
    const chunk = [14, 28, 28, 49][Number(real[1]) - 1] as number;
    if (real[2] === 't') return new MorphFcT(channels, x[1] as number, true);
    return real[1] === '4' ? new MorphFcS2(channels, chunk, bias) : new MorphFcS(channels, chunk, bias);
  }
  const layers: Record<string, () => Layer> = {
    morph_fc_s: () => new MorphFcS(channels, 8, bias),
    morph_fc_s_two_rows: () => new MorphFcS(channels, 16, bias),
    morph_fc_s_no_bias: () => new MorphFcS(channels, 4, bias),
    morph_fc_s2: () => new MorphFcS2(channels, 4, bias),
    morph_fc_s2_strided: () => new MorphFcS2(channels, 4, bias),
    morph_fc_t8: () => new MorphFcT(channels, 8, true),
    morph_fc_t16: () => new MorphFcT(channels, 16, true),
    block: () => block(channels, 8, 0),
    block_s2: () => block(channels, 4, 3),
    patch_embed: () => new PatchEmbed(16, 'video'),
    patch_embed_eval: () => new PatchEmbed(16, 'video'),
    downsample: () => new Downsample(channels, 2 * channels),
    mlp_gelu: () => new Mlp(channels, 3 * channels),
    layer_norm: () => new LayerNorm(channels),
    gelu: () => new Gelu(),
  };
  const make = layers[name];
  if (!make) throw new Error(`no layer for case ${name}`);
  return make();
}

/** [B, T, H, W, C] as the reference has the stem's output, [B, C, T, H, W], and back. */
function permute(data: Float32Array, [b, c, ...rest]: number[], toPlanar: boolean): Float32Array {
  const tokens = rest.reduce((x, y) => x * y, 1);
  const out = new Float32Array(data.length);
  for (let clip = 0; clip < b!; clip++)
    for (let channel = 0; channel < c!; channel++)
      for (let t = 0; t < tokens; t++) {
        const [planar, last] = [(clip * c! + channel) * tokens + t, (clip * tokens + t) * c! + channel];
        out[toPlanar ? planar : last] = data[toPlanar ? last : planar]!;
      }
  return out;
}

/** Output, gradient of the input, gradients of the parameters and buffers, by the names of the files. */
export function run(name: string, c: Case): Map<string, Float32Array> {
  const layer = build(name, c);
  layer.nameTensors().train(c.train);
  for (const [at, t] of layer.namedTensors()) t.copyFrom(fillParameter(at, t.shape, `${name}/`));
  const planar = name.startsWith('patch_embed');
  const found = new Map<string, Float32Array>();
  scope(() => {
    const x = tensor(value(`${name}.x`, c.x, name === 'gelu' ? 4 : 1), c.x, { requiresGrad: true });
    const y = layer.forward(x);
    const gy = value(`${name}.gy`, c.y);
    backward(y, tensor(planar ? permute(gy, c.y, false) : gy, y.shape));
    found.set('y', planar ? permute(y.floats(), c.y, true) : y.floats());
    if (x.grad) found.set('gx', x.grad.floats());
    x.grad?.dispose();
  });
  for (const [at, p] of layer.namedParameters()) if (p.grad) found.set(`grad.${at}`, p.grad.floats());
  for (const [at, t] of layer.namedBuffers()) found.set(`buffer.${at}`, t.floats());
  layer.dispose();
  return found;
}

export const allowed = (key: string) => (key === 'y' || key.startsWith('buffer.') ? 2e-6 : 2e-5);
/** Its true gradient is zero: rounding alone (the reference's README). */
export const zero = (name: string, key: string) => name === 'patch_embed' && /^grad\.proj[12]\.bias$/.test(key);
