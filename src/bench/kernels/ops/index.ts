import { BF16_TERMS, inBf16, type Bf16Terms } from '../../op_cases/bf16';
import type { KernelCase } from '../kernel_case';
import { conv3d } from './conv3d';
import { linear } from './linear';
import { memoryBound } from './memory_bound';
import { morphFc } from './morph_fc';
import { normMlp } from './norm_mlp';
import { normSpatial } from './norm_spatial';
import { normTemporal } from './norm_temporal';
import { temporalFc } from './temporal_fc';

const ALL = [normSpatial, normMlp, normTemporal, morphFc, temporalFc, linear, conv3d, memoryBound].flat();

/** The op of a case without its variant: `morph_fc` for `morph_fc width`. */
export const stemOf = ({ op }: KernelCase): string => op.split(' ')[0]!;

/**
 * Selects cases by op (`morph_fc`, or with variant `morph_fc width`) and stage; all by default.
 * @throws if nothing matches, listing the known names
 */
export function chooseCases(ops?: readonly string[], stages?: readonly number[]): KernelCase[] {
  const names = new Set(ALL.flatMap((c) => [c.op, stemOf(c)]));
  for (const op of ops ?? [])
    if (!names.has(op)) throw new Error(`op '${op}' is not one of ${[...new Set(ALL.map((c) => c.op))].join(', ')}`);
  const found = ALL.filter(
    (c) => (!ops || ops.includes(c.op) || ops.includes(stemOf(c))) && (!stages || stages.includes(c.stage)),
  );
  if (found.length > 0) return found;
  const timed = [
    ...new Set(ALL.filter((c) => !ops || ops.includes(stemOf(c)) || ops.includes(c.op)).map((c) => c.stage)),
  ];
  throw new Error(`${ops!.join(', ')} is not timed at stage ${stages!.join(', ')}, only at ${timed.join(', ')}`);
}

/** Converts cases to bf16. @throws if an op has no bf16 kernels, naming it */
export function casesInBf16(cases: readonly KernelCase[]): KernelCase[] {
  const terms: Partial<Record<string, Bf16Terms>> = BF16_TERMS;
  const without = new Set(cases.map(stemOf).filter((op) => !terms[op]));
  if (without.size > 0)
    throw new Error(`${[...without].join(', ')}: no kernels in bf16; --precision f32 measures them`);
  return cases.map((c) => {
    const opTerms = terms[stemOf(c)]!;
    return { ...c, timed: inBf16(c.timed, opTerms), ...(c.verified ? { verified: inBf16(c.verified, opTerms) } : {}) };
  });
}
