import { InvalidArgumentError, Option, type Command } from 'commander';
import type { ConvertArguments } from './convert_action';
import { numberIn, wholeNumber } from '../options';

const EXAMPLES = `
Examples:
  morphmlp convert video_morphmlp_s.pth video_s.safetensors --model video-s
  morphmlp convert slowfast.pyth mine.safetensors --frames 32 --classes names.txt
  morphmlp convert checkpoint.pth.tar ema.safetensors --weights-key state_dict_ema
  morphmlp convert own_widths.pth own.safetensors --segment-dim 8,8,16,4
  morphmlp convert image.pth image.safetensors --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --test-scale 256

Reads PyTorch files without Python and without running code in them. The weights may have any keys and prefixes
(state_dict, model_state, module., _orig_mod. ...); objects beside them that are not tensors are passed over.
The preprocessing (mean, std, crop, frames, rate, sampling, channel order) is stored in the written file, and every command
takes it from there. It comes from these options, else from the \`cfg\` of a SlowFast file (DATA.*, TRAIN.DATASET), else from the
recipes; what was assumed is reported.`;

function chunkLengths(text: string): ConvertArguments['segmentDim'] {
  const numbers = text.split(',').map(Number);
  if (numbers.length === 4 && numbers.every((n) => Number.isInteger(n) && n > 0))
    return numbers as unknown as ConvertArguments['segmentDim'];
  throw new InvalidArgumentError('Expected four whole numbers such as 14,28,28,49.');
}

/** One number for all channels, or three. */
function channels(text: string): number[] {
  const numbers = text.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)));
  if (numbers.every(Number.isFinite) && numbers.length === 1) return [numbers[0]!, numbers[0]!, numbers[0]!];
  if (numbers.every(Number.isFinite) && numbers.length === 3) return numbers;
  throw new InvalidArgumentError('Expected one number or three such as 0.485,0.456,0.406.');
}

/** Adds `morphmlp convert`. */
export function registerConvert(program: Command): void {
  program
    .command('convert')
    .description('convert a PyTorch checkpoint to a safetensors file that every command reads')
    .argument('<from>', 'a torch.save or safetensors file with any name')
    .argument('<to>', 'the safetensors file to write')
    .option('--model <name>', 'expected variant; other variants are rejected')
    .option('--frames <n>', 'frames of a clip, if the weights fit several numbers (default: 16)', wholeNumber(1))
    .option('--segment-dim <a,b,c,d>', 'chunk lengths, for unpublished widths', chunkLengths)
    .option('--weights-key <key>', 'key of the weights, if the file has several sets, such as model_ema')
    .option('--classes <file>', 'file of class names, one per line')
    .option('--mean <r,g,b>', 'mean of pixels in [0, 1]: red, green, blue, or one number', channels)
    .option('--std <r,g,b>', 'standard deviation of pixels in [0, 1]', channels)
    .option('--rate <n>', 'distance between the frames of a clip', wholeNumber(1))
    .option('--target-fps <n>', 'frame rate that --rate refers to', numberIn(0.001))
    .addOption(
      new Option('--sampling <name>', 'frames --rate apart, or one of each part of a video').choices([
        'dense',
        'segment',
      ]),
    )
    .option('--crop <pixels>', 'side of the square crop', wholeNumber(1))
    .option('--test-scale <pixels>', 'short side of frames before the crop (default: the crop)', wholeNumber(1))
    .addOption(
      new Option('--channel-order <name>', 'order in which the network takes its channels').choices(['rgb', 'bgr']),
    )
    .addHelpText('after', EXAMPLES)
    .action(async (from: string, to: string, given: ConvertArguments) =>
      (await import('./convert_action.js')).convert(from, to, given),
    );
}
