import { InvalidArgumentError, Option, type Command } from 'commander';
import type { BenchDistributedArguments } from './bench_distributed_action';
import { numberIn, wholeNumber } from '../options';

/** Parser of a list of positive numbers with commas. */
function numberList(text: string): number[] {
  const values = text.split(',').map(Number);
  if (values.every((value) => value > 0 && Number.isFinite(value))) return values;
  throw new InvalidArgumentError('Expected numbers above 0 with commas, such as 10,25,100.');
}

/** Adds `morphmlp bench distributed`. */
export function registerBenchDistributed(bench: Command): void {
  bench
    .command('distributed')
    .description('time a training step of several ranks, and predict the efficiency of larger clusters')
    .option('--model <name>', 'video-s, video-b, image-t, …', 'video-s')
    .option('--frames <n>', 'frames of a clip', wholeNumber(1), 16)
    .option('--crop <pixels>', 'side of the square crop', wholeNumber(32), 224)
    .option('--batch-size <n>', 'clips per step, of all ranks', wholeNumber(1), 2)
    .option('--micro-batch <n>', 'clips per forward pass', wholeNumber(1), 1)
    .option('--steps <n>', 'measured steps (the median is reported)', wholeNumber(1), 5)
    .option('--threads <n>', 'threads that compute', wholeNumber(1))
    .option('--ranks <list>', 'numbers of ranks to predict', numberList, [8, 64, 256])
    .option('--gbps <list>', 'line rates of a rank to predict, in Gb/s', numberList, [10, 25, 100, 400])
    .option('--latency <us>', 'microseconds of a message', numberIn(0), 2)
    .option('--rank-timeout <seconds>', 'longest wait for another rank (default: 300)', numberIn(0.1, 1e6))
    .addOption(new Option('--reduction <how>', 'as of train').choices(['exact', 'fast']).default('exact'))
    .option('--json <file>', 'write the results')
    .addHelpText(
      'after',
      `
Started by mpirun or srun, the ranks take steps together and show how long they wait. The prediction takes the step that one rank has
measured on its own, when its gradients are ready, and a network that reaches 85% of its line rate.

Examples:
  morphmlp bench distributed --ranks 8,64 --gbps 25,100
  mpirun -n 2 --bind-to none morphmlp bench distributed --batch-size 4 --micro-batch 1`,
    )
    .action(async (given: BenchDistributedArguments) =>
      (await import('./bench_distributed_action.js')).benchDistributed(given),
    );
}
