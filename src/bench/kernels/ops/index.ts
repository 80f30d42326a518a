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

/** The stem of a case's op: `morph_fc` of `morph_fc width`. */
export const stemOf = ({ op }: KernelCase): string => op.split(' ')[0]!;

/**
 * The cases of these ops (stems, or whole names such as `morph_fc width`) and stages; all where nothing is asked for. Throws where there is
 * none, with the names there are.
 */
export function chooseCases(ops?: readonly string[], stages?: readonly number[]): KernelCase[] {
  const names = new Set(ALL.flatMap((c) => [c.op, stemOf(c)]));
  for (const op of ops ?? [])
    if (!names.has(op)) throw new Error(`op '${op}' is not one of ${[...new Set(ALL.map((c) => c.op))].join(', ')}`);
  const found = ALL.filter(
    (c) => (!ops || ops.includes(c.op) || ops.includes(stemOf(c))) && (!stages || stages.includes(c.stage)),
  );
  if (found.length > 0) return found;
  const there = [
    ...new Set(ALL.filter((c) => !ops || ops.includes(stemOf(c)) || ops.includes(c.op)).map((c) => c.stage)),
  ];
  throw new Error(`${ops!.join(', ')} is not timed at stage ${stages!.join(', ')}, only at ${there.join(', ')}`);
}

/** The cases in bf16. @throws where ops among them have no kernels for it, with their names */
export function casesInBf16(cases: readonly KernelCase[]): KernelCase[] {
  const terms: Partial<Record<string, Bf16Terms>> = BF16_TERMS;
  const without = new Set(cases.map(stemOf).filter((op) => !terms[op]));
  if (without.size > 0)
    throw new Error(`${[...without].join(', ')}: no kernels in bf16; --precision f32 measures them`);
  return cases.map((c) => {
    const turned = terms[stemOf(c)]!;
    return { ...c, timed: inBf16(c.timed, turned), ...(c.verified ? { verified: inBf16(c.verified, turned) } : {}) };
  });
}
