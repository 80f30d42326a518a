import { InvalidArgumentError, Option, type Command } from 'commander';
import { deviceOption, precisionOption, wholeNumber } from '../options';
import type { PredictArguments } from './predict_action';

function frameSize(text: string): [number, number] {
  const [, width = '', height = ''] = /^(\d+)x(\d+)$/.exec(text) ?? [];
  if (Number(width) > 0 && Number(height) > 0) return [Number(width), Number(height)];
  throw new InvalidArgumentError('Expected width and height such as 320x240.');
}

const EXAMPLES = `
Examples:
  morphmlp predict clip.mp4 --checkpoint runs/mine/best.safetensors --top 3
  morphmlp predict videos/ photo.jpg --checkpoint runs/mine/best.safetensors --sheet seen.png
  morphmlp predict frames/0001/ --frames-as-clip --checkpoint runs/mine/best.safetensors --json
  ffmpeg -i clip.mp4 -f matroska - | morphmlp predict - --checkpoint runs/mine/best.safetensors
  camera --rgb | morphmlp predict - --frame-size 320x240 --checkpoint runs/mine/best.safetensors

A folder is expanded to the videos and pictures in it. A video model sees a picture as a still clip; an image model sees
the middle frame of a video. --clips and --crops average the scores of several views.`;

/** Adds `morphmlp predict`. */
export function registerPredict(program: Command): void {
  program
    .command('predict')
    .description('classify videos and pictures with a trained model')
    .argument('<inputs...>', 'videos, pictures, folders of them, or - for standard input')
    .requiredOption('--checkpoint <file>', 'a .safetensors file that training wrote, or a PyTorch .pth')
    .option('--top <n>', 'number of classes to show', wholeNumber(1), 5)
    .option('--json', 'print one JSON object per line')
    .option('--sheet <file.png>', 'write a contact sheet of the frames that the network received, with its predictions')
    .option('--frames-as-clip', 'treat a folder of pictures as one clip, with frames in the order of their names')
    .option('--frame-size <WxH>', 'standard input is raw RGB frames of this size (3 bytes a pixel)', frameSize)
    .option('--clips <n>', 'views in time, evenly spread', wholeNumber(1), 1)
    .addOption(new Option('--crops <n>', 'views in space: 1 (centre) or 3').choices(['1', '3']).default('1'))
    .option('--ignore-sar', 'treat the stored pixels of videos as square, as decord and torchvision do')
    .addOption(deviceOption())
    .addOption(precisionOption())
    .addHelpText('after', EXAMPLES)
    .action(async (inputs: string[], given: PredictArguments) =>
      (await import('./predict_action.js')).predict(inputs, given),
    );
}
