/** Semantic FPN's pyramid and head as ONNX nodes, as in models/semantic_fpn.ts, on pictures [B, C, H, W]. */
import type { Graph, Port } from '../../formats/onnx/graph';
import type { Conv3d } from '../../nn/layers';
import type { SemanticFpn } from '../semantic_fpn';
import type { Tokens, Writer } from './writer';

/** A picture's features [B, channels, side, side]. */
interface Features {
  x: string;
  side: number;
  channels: number;
}

class HeadWriter {
  constructor(
    private readonly g: Graph,
    private readonly write: Writer,
  ) {}

  /** Tokens [B, 1, H, W, C] through an FC. */
  lateral(
    { x, at }: { x: string; at: Tokens },
    where: string,
    layer: SemanticFpn['neck']['lateral'][number],
  ): Features {
    const y = this.write.linear(x, where, layer);
    const [side, channels] = [at.h, layer.outFeatures];
    const flat = this.g.node('Reshape', where, [y, this.g.ints([-1, side, side, channels])]);
    return { x: this.g.node('Transpose', where, [flat], { perm: [0, 3, 1, 2] }), side, channels };
  }

  /** A 1×3×3 convolution, written as 3×3. */
  conv({ x, side }: Features, where: string, { weight, bias }: Conv3d): Features {
    const [out, inside] = weight.shape as [number, number];
    const filters = this.g.weight(`${where}.weight`, [out, inside, 3, 3], weight.floats());
    const inputs = [x, filters, this.g.weight(`${where}.bias`, bias.shape, bias.floats())];
    const y = this.g.node('Conv', where, inputs, { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] });
    return { x: y, side, channels: out };
  }

  /** The size is given whole, as that of odd sides is no multiple; the batch is that of `x`. */
  resize({ x, side: from, channels }: Features, where: string, side: number, mode: 'nearest' | 'linear'): Features {
    if (side === from) return { x, side, channels };
    const batch = this.g.node('Shape', where, [x], { start: 0, end: 1 });
    const size = this.g.node('Concat', where, [batch, this.g.ints([channels, side, side])], { axis: 0 });
    const how =
      mode === 'nearest'
        ? { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' }
        : { coordinate_transformation_mode: 'half_pixel' };
    return { x: this.g.node('Resize', where, [x, '', '', size], { mode, ...how }), side, channels };
  }

  add(a: Features, b: Features, where: string): Features {
    return { ...a, x: this.g.node('Add', where, [a.x, b.x]) };
  }

  pyramid(model: SemanticFpn, stages: readonly { x: string; at: Tokens }[]): Features[] {
    const levels = stages.map((stage, i) => this.lateral(stage, `neck.lateral.${i}`, model.neck.lateral[i]!));
    for (let i = levels.length - 2; i >= 0; i--) {
      const coarser = this.resize(levels[i + 1]!, 'neck', levels[i]!.side, 'nearest');
      levels[i] = this.add(levels[i]!, coarser, 'neck');
    }
    return levels.map((level, i) => this.conv(level, `neck.output.${i}`, model.neck.output[i]!));
  }

  /** Logits [B, classes, side, side] at a quarter of the picture. */
  head({ head }: SemanticFpn, pyramid: readonly Features[]): Features {
    const raised = pyramid.map((level, i) =>
      [...head.levels[i]!].reduce((y, { conv, norm }, step) => {
        const where = `head.levels.${i}.${step}`;
        const z = this.conv(y, `${where}.conv`, conv);
        const x = this.g.node('Relu', where, [this.write.batchNorm(z.x, `${where}.norm`, norm)]);
        return i === 0 ? { ...z, x } : this.resize({ ...z, x }, where, pyramid[i - step - 1]!.side, 'linear');
      }, level),
    );
    const { x, side } = raised.reduce((sum, one) => this.add(sum, one, 'head'));
    const last = this.g.node('Transpose', 'head', [x], { perm: [0, 2, 3, 1] });
    const scores = this.write.linear(last, 'head.predict', head.predict);
    const channels = head.predict.outFeatures;
    return { x: this.g.node('Transpose', 'head', [scores], { perm: [0, 3, 1, 2] }), side, channels };
  }
}

/**
 * Writes pyramid and head for square pictures of `size`. Returns the output: `logits` [batch, classes, size, size], or with `argmax`
 * the `classes` of the pixels, int64 [batch, size, size].
 */
export function writeSemanticHead(
  g: Graph,
  write: Writer,
  {
    model,
    stages,
    size,
    argmax,
  }: { model: SemanticFpn; stages: { x: string; at: Tokens }[]; size: number; argmax: boolean },
): Port {
  const to = new HeadWriter(g, write);
  const { x, channels } = to.resize(to.head(model, to.pyramid(model, stages)), 'head', size, 'linear');
  if (!argmax) {
    g.output('logits', x);
    return { name: 'logits', shape: ['batch', channels, size, size] };
  }
  g.output('classes', g.node('ArgMax', 'head', [x], { axis: 1, keepdims: 0 }));
  return { name: 'classes', shape: ['batch', size, size], type: 'int64' };
}
