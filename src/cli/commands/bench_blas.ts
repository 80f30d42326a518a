import { Option, type Command } from 'commander';
import { LIBRARY_OPS } from '../../bench/kernels/libraries';
import { collect, precisionOption, wholeNumber } from '../options';
import type { BenchBlasArguments } from './bench_blas_action';
import { stages, words } from './bench_kernels';

const NOTES = `
Examples:
  morphmlp bench blas
  morphmlp bench blas --op linear --stage 3 --rounds 31
  morphmlp bench blas --clock cpu                            on a machine that others use too
  morphmlp bench blas --precision bf16                       oneDNN, whose product takes bf16
  morphmlp bench blas --library /opt/mkl/lib/libmkl_rt.so.2
  morphmlp bench blas --out blas.json --html blas.html

OpenBLAS, BLIS, oneDNN and MKL are compiled into plugins where they are installed; a line names the package of each that is not. The
morph FCs copy the tokens into rows before the product and back after it, as a framework does. First the settings of each library are
tried on each op at stage 3 and the faster kept: whose threads share the work (split=0: the library's, 1: the program's), and for oneDNN
whether each call packs the weight (pack). Then all are held to float64, and timed in turn with ours. The last table counts who wins.`;

/** Adds `morphmlp bench blas`. */
export function registerBenchBlas(bench: Command): void {
  bench
    .command('blas')
    .description('compare our FCs with the BLAS libraries of this machine, each with its best settings')
    .option('--op <names>', `${LIBRARY_OPS.join(', ')} (default: all)`, words)
    .option('--stage <numbers>', 'stages of the network, 1 to 4 (default: all)', stages)
    .addOption(precisionOption())
    .option('--library <file>', 'another library with the C interface of BLAS; may be repeated', collect)
    .option('--threads <n>', 'threads that compute (default: physical cores)', wholeNumber(1))
    .addOption(
      new Option('--clock <name>', "cpu: the process's time, one thread").choices(['wall', 'cpu']).default('wall'),
    )
    .option('--rounds <n>', 'measurements (the median is reported)', wholeNumber(3), 15)
    .option('--passes <n>', 'passes over all ops, which divide the rounds', wholeNumber(1), 1)
    .option('--seed <n>', 'seed of the random inputs (default: random)', wholeNumber(0))
    .option('--out <file>', 'write the results as JSON')
    .option('--html <file>', 'write a page: shares of the limit, ranking, and the history of --history')
    .option('--history <file>', 'an earlier results file for the page, the oldest first; may be repeated', collect)
    .addHelpText('after', NOTES)
    .action(async (given: BenchBlasArguments) => (await import('./bench_blas_action.js')).benchBlas(given));
}
