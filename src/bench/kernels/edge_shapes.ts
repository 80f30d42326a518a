import type { OpCase } from '../op_cases/case';
import { BF16_TERMS, inBf16 } from '../op_cases/bf16';
import { geluCases } from '../op_cases/gelu';
import { conv3dCases } from '../op_cases/conv3d';
import { layerNormCases } from '../op_cases/layer_norm';
import { linearCases } from '../op_cases/linear';
import { morphFcCases } from '../op_cases/morph_fc';
import { normMlpCases } from '../op_cases/norm_mlp';
import { normSpatialCases } from '../op_cases/norm_spatial';
import { normTemporalCases } from '../op_cases/norm_temporal';
import { temporalFcCases } from '../op_cases/temporal_fc';
import type { Precision } from '../../core/native';
import type { PluggableOp } from '../../core/plugins';

/** Small edge cases of each pluggable op: one row, widths that no vector width divides, chunks past a frame's end, no bias. */
export const EDGE_SHAPES: Record<PluggableOp, readonly OpCase[]> = {
  gelu: geluCases,
  layer_norm: layerNormCases,
  linear: linearCases,
  morph_fc: morphFcCases,
  temporal_fc: temporalFcCases,
  norm_mlp: normMlpCases,
  norm_temporal: normTemporalCases,
  norm_spatial: normSpatialCases,
  conv3d: conv3dCases,
};

/** The edge cases of an op in a precision. */
export const edgeCases = (op: PluggableOp, precision: Precision): readonly OpCase[] =>
  precision === 'bf16' ? EDGE_SHAPES[op].map((c) => inBf16(c, BF16_TERMS[op])) : EDGE_SHAPES[op];
