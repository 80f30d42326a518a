import { Option, type Command } from 'commander';
import { LANGUAGES } from '../../bench/kernels/build_kernel';
import { stages } from './bench_kernels';
import type { CheckArguments, NewArguments } from './kernel_action';
import type { TuneArguments } from './kernel_tune_action';
import type { WatchArguments } from './kernel_watch_action';
import { wholeNumber } from '../options';

const EXAMPLES = `
Examples, five minutes from nothing to a trained model:
  morphmlp kernel new my_morph_fc                      writes my_morph_fc.cc: right, and blocked
  morphmlp kernel build my_morph_fc.cc                 compiles it
  morphmlp kernel check ./my_morph_fc.so               holds it to float64
  morphmlp bench kernels --plugin ./my_morph_fc.so     ranks it beside ours and others
  morphmlp train --preset quickstart --plugin ./my_morph_fc.so`;

const action = async () => import('./kernel_action.js');

function registerNew(kernel: Command): void {
  kernel
    .command('new')
    .description('write the source of a correct kernel, as a start')
    .argument('<name>', 'name of the kernel and its file; its end selects the op: my_morph_fc')
    .option(
      '--op <name>',
      'gelu, layer_norm, linear, morph_fc, temporal_fc, norm_mlp, norm_temporal, norm_spatial or conv3d',
    )
    .addOption(new Option('--lang <name>', 'language of the source').choices(LANGUAGES).default('c++'))
    .option('--out <folder>', 'output folder', '.')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, given: NewArguments) => (await action()).newKernel(name, given));
}

function registerCheck(kernel: Command): void {
  kernel
    .command('check')
    .description('compare kernels with float64 on ragged shapes and those of the network, in a child process')
    .argument('<libraries...>', 'shared libraries with morphmlp_kernel_entry')
    .option('--stage <numbers>', 'stages of the network, 1 to 4 (default: all)', stages)
    .addOption(
      new Option('--dtype <name>', 'type of activations (default: all that the kernel takes)').choices(['f32', 'bf16']),
    )
    .option('--threads <n>', 'threads that compute (default: physical cores)', wholeNumber(1))
    .option('--seed <n>', 'seed of the random inputs (default: random)', wholeNumber(0))
    .option('--timeout <seconds>', 'time after which a kernel counts as hanging', wholeNumber(1), 60)
    .addHelpText(
      'after',
      '\nExamples:\n  morphmlp kernel check ./my_morph_fc.so --threads 3 --seed 7\n  morphmlp kernel check ./my_morph_fc.so --stage 4    (in a moment, while you work on it)',
    )
    .action(async (libraries: string[], given: CheckArguments) => (await action()).checkKernels(libraries, given));
}

const TUNE_EXAMPLES = `
Examples:
  morphmlp kernel tune ./my_norm_mlp.so                          every value of one parameter at a time, on stage 3
  morphmlp kernel tune ./my_norm_mlp.so --stage 2,3 --trials 100 all combinations, if there are at most 100
  morphmlp kernel tune ./my_norm_mlp.so --dtype bf16 --threads 2

Each trial is held to float64 as in kernel check, then timed in turn with the best values so far, forward and backward
together. Values are kept if the interval of the speedup is above 1, in my_norm_mlp.so.tuned.json, which is read
wherever the library is loaded. Ctrl-C ends it and keeps the best values so far.`;

function registerTune(kernel: Command): void {
  kernel
    .command('tune')
    .description('try the values of the parameters that a kernel declares, and keep the fastest')
    .argument('<library>', 'shared library with morphmlp_kernel_entry')
    .option('--stage <numbers>', 'stages of the network to time, 1 to 4 (default: 3)', stages)
    .addOption(
      new Option('--dtype <name>', 'type of activations (default: the first that the kernel takes)').choices([
        'f32',
        'bf16',
      ]),
    )
    .option('--trials <n>', 'the most values to try; more combinations: one parameter at a time', wholeNumber(1), 32)
    .option('--rounds <n>', 'rounds of each trial', wholeNumber(3), 9)
    .option('--threads <n>', 'threads that compute (default: physical cores)', wholeNumber(1))
    .option('--seed <n>', 'seed of the random inputs (default: random)', wholeNumber(0))
    .option('--timeout <seconds>', 'time after which a kernel counts as hanging', wholeNumber(1), 60)
    .addHelpText('after', TUNE_EXAMPLES)
    .action(async (library: string, given: TuneArguments) =>
      (await import('./kernel_tune_action.js')).tuneKernel(library, given),
    );
}

const WATCH_EXAMPLES = `
Examples:
  morphmlp kernel watch my_morph_fc.cc                   until Ctrl-C, on stage 3
  morphmlp kernel watch my_morph_fc.cc --stage 1,3 -- -ffast-math

One line a step: the compilation, the comparison with float64, and the times beside ours in the same rounds, with the
speedup over the version before. A save while a step runs starts again. A kernel that does not compile, is wrong,
crashes or hangs is reported in one line, and the next save is waited for.`;

function registerWatch(kernel: Command): void {
  kernel
    .command('watch')
    .description('build, check and time a kernel whenever its source is saved')
    .argument('<source>', 'source of the kernel; see kernel build')
    .argument('[flags...]', 'further compiler flags, after --')
    .option('--stage <numbers>', 'stages of the network, 1 to 4 (default: 3)', stages)
    .addOption(
      new Option('--dtype <name>', 'type of activations (default: the first that the kernel takes)').choices([
        'f32',
        'bf16',
      ]),
    )
    .option('--rounds <n>', 'rounds of each measurement', wholeNumber(3), 9)
    .option('--threads <n>', 'threads that compute (default: physical cores)', wholeNumber(1))
    .option('--seed <n>', 'seed of the random inputs (default: random)', wholeNumber(0))
    .option('--timeout <seconds>', 'time after which a kernel counts as hanging', wholeNumber(1), 20)
    .addHelpText('after', WATCH_EXAMPLES)
    .action(async (source: string, flags: string[], given: WatchArguments) =>
      (await import('./kernel_watch_action.js')).watchKernel(source, flags, given),
    );
}

/** Adds `morphmlp kernel`. */
export function registerKernel(program: Command): void {
  const kernel = program
    .command('kernel')
    .description('kernels of your own: write, compile and check them')
    .addHelpText('after', EXAMPLES);
  registerNew(kernel);
  kernel
    .command('build')
    .description('compile a kernel to a library in the folder of its source')
    .argument('<source>', 'C++ (.cc), C (.c), Rust (.rs), CUDA (.cu) or assembly (.S)')
    .argument('[flags...]', 'further compiler flags, after --')
    .addHelpText('after', '\nExamples:\n  morphmlp kernel build my_morph_fc.cc -- -ffast-math -funroll-loops')
    .action(async (source: string, flags: string[]) => (await action()).build(source, flags));
  registerCheck(kernel);
  registerTune(kernel);
  registerWatch(kernel);
  kernel
    .command('include')
    .description('print the folder of morphmlp_kernel.h, for other build systems')
    .action(async () => (await action()).printInclude());
}
