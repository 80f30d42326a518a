import { BF16_TERMS, inBf16, type Bf16Terms } from '../../op_cases/bf16';
import type { Precision } from '../../../core/native';
import type { KernelCase } from '../kernel_case';
import { resized, STAGES, type Sizes, type Stage } from '../stages';
import { basic } from './basic';
import { conv3d } from './conv3d';
import { linear } from './linear';
import { memoryBound } from './memory_bound';
import { morphFc } from './morph_fc';
import { normMlp } from './norm_mlp';
import { normSpatial } from './norm_spatial';
import { normTemporal } from './norm_temporal';
import { temporalFc } from './temporal_fc';

/** The cases of each op at a stage. */
const MAKERS = [normSpatial, normMlp, normTemporal, morphFc, temporalFc, linear, conv3d, memoryBound, basic];

const casesAt = (stages: readonly Stage[]): KernelCase[] => MAKERS.flatMap((make) => stages.flatMap(make));

const ALL = casesAt(STAGES);

/** Identifies a case to another process. */
export interface CaseChoice {
  op: string;
  stage: number;
  precision: Precision;
  /** Sizes that replace those of the stage. */
  sizes?: Sizes;
}

/** The case of a choice. @throws if there is none, or its sizes do not fit each other */
export function caseOf({ op, stage, precision, sizes = {} }: CaseChoice): KernelCase {
  const [made] = sizedCases([ALL.find((c) => c.op === op && c.stage === stage)!], sizes);
  return precision === 'bf16' ? casesInBf16([made!])[0]! : made!;
}

/** Ops of one shape, which no size of a stage changes. */
const FIXED = ['conv3d stem', 'conv_norm stem'];

/** The cases with other sizes of their stages. @throws if one has a shape of its own */
export function sizedCases(cases: readonly KernelCase[], sizes: Sizes): KernelCase[] {
  if (Object.keys(sizes).length === 0) return [...cases];
  return cases.map((c) => {
    if (FIXED.includes(c.op)) throw new Error(`${c.op} has one shape: --shape and --sweep do not apply to it`);
    const made = casesAt([resized(STAGES[c.stage - 1]!, sizes)]).find((one) => one.op === c.op)!;
    return { ...made, sizes };
  });
}

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

/** The cases that stand for the timed one, in bf16. */
const converted = (c: KernelCase, opTerms: Bf16Terms) => ({
  ...(c.verified ? { verified: inBf16(c.verified, opTerms) } : {}),
  ...(c.small ? { small: inBf16(c.small, opTerms) } : {}),
});

/** Converts cases to bf16. @throws if an op has no bf16 kernels, naming it */
export function casesInBf16(cases: readonly KernelCase[]): KernelCase[] {
  const terms: Partial<Record<string, Bf16Terms>> = BF16_TERMS;
  const without = new Set(cases.filter((c) => !(c.bf16 ?? terms[stemOf(c)])).map(stemOf));
  if (without.size > 0)
    throw new Error(`${[...without].join(', ')}: no kernels in bf16; --precision f32 measures them`);
  return cases.map((c) => {
    const opTerms = (c.bf16 ?? terms[stemOf(c)])!;
    return { ...c, timed: inBf16(c.timed, opTerms), ...converted(c, opTerms) };
  });
}
