import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Precision } from '../../core/native';
import { SWEPT } from '../../bench/kernels/stages';
import type { BenchKernelsArguments, Swept } from './bench_kernels_action';
import { collect, deviceOption, precisionOption, wholeNumber } from '../options';

/** A parser for words separated by commas. */
export const words = (text: string): string[] => text.split(',').map((word) => word.trim());

/** A parser for stages of the network, separated by commas. */
export function stages(text: string): number[] {
  const numbers = words(text).map(Number);
  if (numbers.every((n) => n >= 1 && n <= 4 && Number.isInteger(n))) return numbers;
  throw new InvalidArgumentError('Expected stages from 1 to 4, separated by commas.');
}

/** A parser for `--shape`: five sizes of 1 or more. */
function sizes(text: string): number[] {
  const numbers = text.split(/[,x]/).map(Number);
  if (numbers.length === 5 && numbers.every((n) => Number.isInteger(n) && n >= 1)) return numbers;
  throw new InvalidArgumentError('Expected five sizes of tokens, as in 1,8,28,28,224 (B,T,H,W,C).');
}

/** A parser for `--sweep`, which may be repeated. */
function swept(text: string, before: Swept[] = []): Swept[] {
  const [given, list = ''] = text.split('=');
  const name = SWEPT.find((one) => one === given);
  const values = list.split(',').map(Number);
  if (!name || !values.every((n) => Number.isInteger(n) && n >= 1))
    throw new InvalidArgumentError(`Expected a size and its values, as in chunk=7,14,28 (sizes: ${SWEPT.join(', ')}).`);
  if (before.some((one) => one.name === name)) throw new InvalidArgumentError(`${name} is given twice.`);
  return [...before, { name, values }];
}

/** Adds `morphmlp bench kernels`. */
export function registerBenchKernels(bench: Command): void {
  bench
    .command('kernels')
    .description("compare every op with float64 at the network's shapes, then time it against the machine's limit")
    .option('--op <names>', 'norm_spatial, norm_mlp, norm_temporal, morph_fc, temporal_fc, linear, …', words)
    .option('--plugin <file>', 'a kernel to rank with ours and a naive one; may be repeated', collect)
    .option('--stage <numbers>', 'stages of the network, 1 to 4', stages)
    .addOption(deviceOption())
    .addOption(precisionOption())
    .addOption(new Option('--dtype <name>', 'alias of --precision').choices(['f32', 'bf16']))
    .addOption(
      new Option('--cache <state>', 'state of the caches before each measurement')
        .choices(['warm', 'cold', 'both'])
        .default(undefined, 'warm; both on a GPU'),
    )
    .addOption(
      new Option('--launch <how>', 'on a GPU: individual launches, or replay of a CUDA graph')
        .choices(['launched', 'graph', 'both'])
        .default(undefined, 'both'),
    )
    .addOption(
      new Option('--clock <name>', "cpu: the process's time, one thread").choices(['wall', 'cpu']).default('wall'),
    )
    .option('--threads <n>', 'threads that compute (default: physical cores)', wholeNumber(1))
    .option(
      '--rounds <n>',
      'measurements (the median is reported); variants that take seconds have fewer, at least 3',
      wholeNumber(1),
      15,
    )
    .option(
      '--passes <n>',
      'passes over all ops, which divide the rounds: for a machine whose speed varies',
      wholeNumber(1),
      1,
    )
    .option('--seed <n>', 'seed of the random inputs (default: random)', wholeNumber(0))
    .option(
      '--timeout <seconds>',
      'time that a plugin may run without progress; ours may take any time',
      wholeNumber(1),
      60,
    )
    .option('--shape <B,T,H,W,C>', 'shape of the tokens, in place of that of each stage', sizes)
    .option('--sweep <name=values>', `a size to vary: ${SWEPT.join(', ')}; may be repeated`, swept, undefined)
    .option('--perf', 'also count instructions, cycles and cache misses, where the system permits it (Linux)')
    .option('--no-peers', 'measure plugins beside ours alone, without BLAS libraries and the naive kernel')
    .option('--no-verify', 'skip the comparison with float64')
    .option('--out <file>', 'write the results as JSON')
    .option('--html <file>', 'write a page: shares of the limit, ranking, and the history of --history')
    .option('--history <file>', 'an earlier results file for the page, the oldest first; may be repeated', collect)
    .addHelpText(
      'after',
      `
Examples:
  morphmlp bench kernels --op morph_fc --stage 2
  morphmlp bench kernels --op norm_mlp,linear --cache both --out kernels.json
  morphmlp bench kernels --op morph_fc --threads 1 --rounds 31
  morphmlp bench kernels --op morph_fc --stage 2 --sweep chunk=7,14,28
  morphmlp bench kernels --op norm_mlp --stage 1 --shape 1,8,32,32,96 --perf
  morphmlp bench kernels --passes 3 --out kernels.json
  morphmlp bench kernels --plugin ./my_morph_fc.so --stage 2    (morphmlp kernel new writes one)
  morphmlp bench kernels --html kernels.html --history last_week.json
  morphmlp bench kernels --device cuda --op linear --out gpu.json
  morphmlp bench kernels --device cuda --op norm_mlp --launch graph --cache cold
  morphmlp bench kernels --device cuda --precision bf16 --out gpu_bf16.json

The error is relative to a float64 oracle on random inputs. Before each comparison, the check verifies that it rejects zeros, outputs for other
inputs and transposed outputs. The share of the limit is the least time that the machine's FMA peak and memory bandwidth allow, both measured
in the same run, over the measured time; a time below the limit is rejected. The speed of a variant is the median over rounds in which all take
turns, with a 95% interval; if it contains 1, there is no difference. On a GPU, CUDA events measure four regimes: the op launched by the program
on an idle GPU, or replayed as a CUDA graph (GPU time only), each with a warm or a cold L2 cache. In bf16 the inputs are bf16, the tolerance is
the sum of the op's roundings, and the limit is that of bf16 products (on a GPU by mma.sync). Plugins run in a child process: one that crashes, hangs,
writes out of bounds or is wrong is reported, and the others are still measured.`,
    )
    .action(async ({ dtype, ...given }: BenchKernelsArguments & { dtype?: Precision }) => {
      await (await import('./bench_kernels_action.js')).benchKernels({ ...given, precision: dtype ?? given.precision });
    });
}
