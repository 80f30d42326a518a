import type { OpCase } from '../cases/case';
import { geluCases } from '../cases/gelu';
import { layerNormCases } from '../cases/layer_norm';
import { linearCases } from '../cases/linear';
import { morphFcCases } from '../cases/morph_fc';
import { temporalFcCases } from '../cases/temporal_fc';
import type { PluggableOp } from '../plugins';

/** Small cases at the edges: one row, widths that no vector divides, chunks past a frame's end, no bias. */
export const RAGGED: Record<PluggableOp, readonly OpCase[]> = {
  gelu: geluCases,
  layer_norm: layerNormCases,
  linear: linearCases,
  morph_fc: morphFcCases,
  temporal_fc: temporalFcCases,
};
