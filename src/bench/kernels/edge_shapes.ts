import type { OpCase } from '../op_cases/case';
import { geluCases } from '../op_cases/gelu';
import { layerNormCases } from '../op_cases/layer_norm';
import { linearCases } from '../op_cases/linear';
import { morphFcCases } from '../op_cases/morph_fc';
import { temporalFcCases } from '../op_cases/temporal_fc';
import type { PluggableOp } from '../../core/plugins';

/** Small edge cases of each pluggable op: one row, widths that no vector width divides, chunks past a frame's end, no bias. */
export const EDGE_SHAPES: Record<PluggableOp, readonly OpCase[]> = {
  gelu: geluCases,
  layer_norm: layerNormCases,
  linear: linearCases,
  morph_fc: morphFcCases,
  temporal_fc: temporalFcCases,
};
