import { Option, type Command } from 'commander';
import { stages } from './bench_kernels';
import type { CheckArguments, NewArguments } from './kernel_action';
import { wholeNumber } from '../options';

const EXAMPLES = `
Examples, five minutes from nothing to a trained model:
  morphmlp kernel new my_morph_fc                      writes my_morph_fc.cc: right, and slow
  morphmlp kernel build my_morph_fc.cc                 compiles it
  morphmlp kernel check ./my_morph_fc.so               holds it to float64
  morphmlp bench kernels --plugin ./my_morph_fc.so     ranks it beside ours and others
  morphmlp train --preset quickstart --plugin ./my_morph_fc.so`;

const action = async () => import('./kernel_action.js');

function registerNew(kernel: Command): void {
  kernel
    .command('new')
    .description('write the source of a kernel that works, to be made fast')
    .argument('<name>', 'of the kernel and its file; the op it ends in is the one it computes: my_morph_fc')
    .option('--op <name>', 'gelu, layer_norm, linear, morph_fc or temporal_fc')
    .addOption(new Option('--lang <name>', 'what it is written in').choices(['c++', 'cuda']).default('c++'))
    .option('--out <folder>', 'where it goes', '.')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, given: NewArguments) => (await action()).newKernel(name, given));
}

function registerCheck(kernel: Command): void {
  kernel
    .command('check')
    .description('hold kernels to float64, on ragged shapes and on those of the network, in a process of their own')
    .argument('<libraries...>', 'shared libraries with morphmlp_kernel_entry')
    .option('--stage <numbers>', 'of the network, 1 to 4 (default: all)', stages)
    .option('--threads <n>', 'threads that compute (default: physical cores)', wholeNumber(1))
    .option('--seed <n>', 'of the random numbers (default: another each time)', wholeNumber(0))
    .option('--timeout <seconds>', 'after which a silent kernel hangs', wholeNumber(1), 60)
    .addHelpText(
      'after',
      '\nExamples:\n  morphmlp kernel check ./my_morph_fc.so --threads 3 --seed 7\n  morphmlp kernel check ./my_morph_fc.so --stage 4    (in a moment, while you work on it)',
    )
    .action(async (libraries: string[], given: CheckArguments) => (await action()).checkKernels(libraries, given));
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
    .description('compile a kernel into a library beside it')
    .argument('<source>', 'C++ (.cc) or CUDA (.cu)')
    .argument('[flags...]', 'more for the compiler, after --')
    .addHelpText('after', '\nExamples:\n  morphmlp kernel build my_morph_fc.cc -- -ffast-math -funroll-loops')
    .action(async (source: string, flags: string[]) => (await action()).build(source, flags));
  registerCheck(kernel);
  kernel
    .command('include')
    .description('print the folder of morphmlp_kernel.h, for build systems of your own')
    .action(async () => (await action()).printInclude());
}
