import type { BlockWatch } from './block_watch';
import type { Block, MorphMLP } from './morphmlp';

/** A block and its position in the model. */
export interface PlacedBlock {
  /** Name in the weights' file, such as `blocks3.4`. */
  name: string;
  stage: 1 | 2 | 3 | 4;
  block: Block;
}

/** All blocks of a model, in order. */
export function placedBlocks(model: MorphMLP): PlacedBlock[] {
  const stages = [model.blocks1, model.blocks2, model.blocks3, model.blocks4];
  return stages.flatMap((blocks, i) => {
    const stage = (i + 1) as 1 | 2 | 3 | 4;
    return blocks.map((block, j) => ({ name: `blocks${stage}.${j}`, stage, block }));
  });
}

/** Runs `body` with the watch that `watchOf` returns for each block (null: none), then restores the previous watches. */
export function watchBlocks<T>(model: MorphMLP, watchOf: (at: PlacedBlock) => BlockWatch | null, body: () => T): T {
  const before = placedBlocks(model).map((at) => ({ ...at, watch: at.block.watch }));
  try {
    for (const { name, stage, block } of before) block.watch = watchOf({ name, stage, block });
    return body();
  } finally {
    for (const { block, watch } of before) block.watch = watch;
  }
}
