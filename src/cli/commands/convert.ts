import { InvalidArgumentError, type Command } from 'commander';
import type { ConvertArguments } from './convert_action';
import { wholeNumber } from '../options';

const EXAMPLES = `
Examples:
  morphmlp convert video_morphmlp_s.pth video_s.safetensors --model video-s
  morphmlp convert slowfast.pyth mine.safetensors --frames 32 --classes names.txt
  morphmlp convert checkpoint.pth.tar ema.safetensors --weights-key state_dict_ema
  morphmlp convert own_widths.pth own.safetensors --segment-dim 8,8,16,4

Reads PyTorch files without Python and without running anything they hold. The weights may stand under any keys and prefixes
(state_dict, model_state, module., _orig_mod. ...); objects beside them that are not tensors are passed over.`;

function chunkLengths(text: string): ConvertArguments['segmentDim'] {
  const numbers = text.split(',').map(Number);
  if (numbers.length === 4 && numbers.every((n) => Number.isInteger(n) && n > 0))
    return numbers as unknown as ConvertArguments['segmentDim'];
  throw new InvalidArgumentError('Expected four whole numbers such as 14,28,28,49.');
}

/** Adds `morphmlp convert`. */
export function registerConvert(program: Command): void {
  program
    .command('convert')
    .description('turn a PyTorch checkpoint into a safetensors file that every command takes')
    .argument('<from>', 'a file of torch.save or safetensors, whatever its name')
    .argument('<to>', 'the safetensors file to write')
    .option('--model <name>', 'the variant it must be; another is refused, with both named')
    .option('--frames <n>', 'frames of a clip, where the weights fit several numbers (default: 16)', wholeNumber(1))
    .option('--segment-dim <a,b,c,d>', 'chunk lengths, where the widths are of no published model', chunkLengths)
    .option('--weights-key <key>', 'which weights, where the file holds several sets, such as model_ema')
    .option('--classes <file>', 'class names, one a line')
    .addHelpText('after', EXAMPLES)
    .action(async (from: string, to: string, given: ConvertArguments) =>
      (await import('./convert_action.js')).convert(from, to, given),
    );
}
