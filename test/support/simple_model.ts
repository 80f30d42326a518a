import type { Block, MorphMLP } from '../../src/models/morphmlp';
import { add } from '../../src/ops/arithmetic';
import { meanPool } from '../../src/ops/mean_pool';
import type { Tensor } from '../../src/core/tensor';

/** A block of simple layers. */
function simpleBlock(block: Block, x: Tensor): Tensor {
  const { t_fc, t_norm1, norm1, norm2, fc, mlp } = block;
  const xt = t_fc && t_norm1 ? add(x, t_fc.forward(t_norm1.forward(x))) : x;
  const y = add(x, fc.forward(norm1.forward(xt)));
  return add(y, mlp.forward(norm2.forward(y)));
}

/** The whole network of simple layers, the reference of the fused kernels. */
export function simpleModel(m: MorphMLP, x: Tensor): Tensor {
  const stages = [
    [m.patch_embed1, m.blocks1],
    [m.patch_embed2, m.blocks2],
    [m.patch_embed3, m.blocks3],
    [m.patch_embed4, m.blocks4],
  ] as const;
  const tokens = stages.reduce((t, [embed, blocks]) => blocks.reduce((s, b) => simpleBlock(b, s), embed.forward(t)), x);
  return m.head.forward(meanPool(m.norm.forward(tokens)));
}
