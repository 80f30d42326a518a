import type { Command } from 'commander';
import { deviceOption } from '../options';
import type { VerifyArguments } from './verify_action';

/** Adds `morphmlp verify`. */
export function registerVerify(program: Command): void {
  program
    .command('verify')
    .description(
      "hold this machine's kernels to reference numbers (logits, features, loss, gradients, buffers, training steps), " +
        'and checkpoints to their checksums',
    )
    .argument(
      '<files...>',
      'checkpoints (.safetensors), or files in the format of test/fixtures/reference/tiny.json, models_full.json or trajectory.json',
    )
    .addOption(deviceOption())
    .option('--case <name>', 'run one case of the file')
    .addHelpText(
      'after',
      '\nExamples:\n  morphmlp verify test/fixtures/reference/tiny.json\n  morphmlp verify test/fixtures/reference/models_full.json --case video_s16\n  morphmlp verify runs/mine/*.safetensors\n\nExit status 1 if a comparison fails or a file is damaged.',
    )
    .action(async (files: string[], given: VerifyArguments) =>
      (await import('./verify_action.js')).verify(files, given),
    );
}
