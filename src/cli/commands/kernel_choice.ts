/** What `kernel tune` and `kernel watch` measure by default. */
import type { KernelCase } from '../../bench/kernels/kernel_case';
import { chooseCases } from '../../bench/kernels/ops';
import type { PluginDescription } from '../../bench/kernels/protocol';
import type { Precision } from '../../core/native';

/** The type of activations to measure: that of `--dtype`, or the first that the kernel takes. */
export function precisionFor({ dtypes }: PluginDescription, asked: Precision | undefined, file: string): Precision {
  if (asked && !dtypes.includes(asked))
    throw new Error(`${file}: it takes activations in ${dtypes.join(', ')}, not in ${asked} (--dtype)`);
  return asked ?? dtypes[0]!;
}

/** The cases of an op at the chosen stages; by default of stage 3, or of the only stages at which the op is timed. */
export function defaultCases(op: string, stages: number[] | undefined): KernelCase[] {
  const all = chooseCases([op], stages);
  const third = all.filter(({ stage }) => stage === 3);
  return stages || third.length === 0 ? all : third;
}
