import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Precision } from '../../core/native';
import type { BenchKernelsArguments } from './bench_kernels_action';
import { collect, deviceOption, precisionOption, wholeNumber } from '../options';

const words = (text: string): string[] => text.split(',').map((word) => word.trim());

/** A parser for stages of the network, separated by commas. */
export function stages(text: string): number[] {
  const numbers = words(text).map(Number);
  if (numbers.every((n) => n >= 1 && n <= 4 && Number.isInteger(n))) return numbers;
  throw new InvalidArgumentError('Expected stages from 1 to 4, separated by commas.');
}

/** Adds `morphmlp bench kernels`. */
export function registerBenchKernels(bench: Command): void {
  bench
    .command('kernels')
    .description("every op at the network's shapes: held to float64, then timed, beside the machine's limit")
    .option('--op <names>', 'norm_spatial, norm_mlp, norm_temporal, morph_fc, temporal_fc, linear, …', words)
    .option('--plugin <file>', 'a kernel of yours, ranked beside ours and a naive one; may be repeated', collect)
    .option('--stage <numbers>', 'of the network, 1 to 4', stages)
    .addOption(deviceOption())
    .addOption(precisionOption())
    .addOption(new Option('--dtype <name>', 'another name of --precision').choices(['f32', 'bf16']))
    .addOption(
      new Option('--cache <state>', 'what the caches hold')
        .choices(['warm', 'cold', 'both'])
        .default(undefined, 'warm; both on a GPU'),
    )
    .addOption(
      new Option('--launch <how>', 'on a GPU: one launch after the other, or replayed as a CUDA graph')
        .choices(['launched', 'graph', 'both'])
        .default(undefined, 'both'),
    )
    .addOption(
      new Option('--clock <name>', "cpu: the process's time, one thread").choices(['wall', 'cpu']).default('wall'),
    )
    .option('--threads <n>', 'threads that compute (default: physical cores)', wholeNumber(1))
    .option(
      '--rounds <n>',
      'measurements of which the median counts; at least 3 of a variant that takes seconds',
      wholeNumber(1),
      15,
    )
    .option(
      '--passes <n>',
      'over all ops, among which the rounds are divided: for a machine with slow spells',
      wholeNumber(1),
      1,
    )
    .option('--seed <n>', 'of the random numbers (default: another each time)', wholeNumber(0))
    .option('--timeout <seconds>', 'after which a silent plugin hangs', wholeNumber(1), 60)
    .option('--no-verify', 'time without holding to float64 first')
    .option('--out <file>', 'write the figures as JSON')
    .addHelpText(
      'after',
      `
Examples:
  morphmlp bench kernels --op morph_fc --stage 2
  morphmlp bench kernels --op norm_mlp,linear --cache both --out kernels.json
  morphmlp bench kernels --op morph_fc --threads 1 --rounds 31
  morphmlp bench kernels --passes 3 --out kernels.json
  morphmlp bench kernels --plugin ./my_morph_fc.so --stage 2    (morphmlp kernel new writes one)
  morphmlp bench kernels --device cuda --op linear --out gpu.json
  morphmlp bench kernels --device cuda --op norm_mlp --launch graph --cache cold
  morphmlp bench kernels --device cuda --precision bf16 --out gpu_bf16.json

The error is the relative one against a float64 oracle, on fresh random numbers; zeros, outputs for other inputs and transposed outputs are
shown to be refused before each. A share is of the shortest time that the machine's multiply-adds and memory allow, both measured
beside. A time below that is refused as wrong. The speed of a variant is the median over rounds in which all took turns, with an
interval of 95%; where that holds 1, there is no difference. On a GPU its own timer counts, in four regimes: the op launched out of the program
to a GPU that waits, or replayed as a CUDA graph (the GPU's time alone), each with what a run leaves in the L2 cache or nothing. In bf16
the numbers are bf16 already, each op may be off by as many roundings as it makes, and the limit is that of the tensor cores by mma.sync. A plugin runs in a process of its own: one that crashes, hangs, leaves its
memory or is wrong is told of, and the others are measured.`,
    )
    .action(async ({ dtype, ...given }: BenchKernelsArguments & { dtype?: Precision }) =>
      (await import('./bench_kernels_action.js')).benchKernels({ ...given, precision: dtype ?? given.precision }),
    );
}
