import { addSegmentOptions } from './segment_options';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { deviceOption, precisionOption, wholeNumber } from '../options';
import type { Distance } from '../../data/video/windows';
import type { PredictArguments } from './predict_action';

const UNITS = { ms: 1e-3, s: 1, min: 60 } as const;

/** Parser of a distance over a video: 1s, 500ms, 2min, or 16f for frames. */
function distance(text: string): Distance {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|min|f)$/.exec(text) ?? [];
  const value = Number(number);
  if (unit === 'f' && Number.isInteger(value) && value > 0) return { frames: value };
  if (unit !== '' && unit !== 'f' && value > 0) return { seconds: value * UNITS[unit as keyof typeof UNITS] };
  throw new InvalidArgumentError('Expected a time such as 1s, 500ms or 2min, or a whole number of frames such as 16f.');
}

function frameSize(text: string): [number, number] {
  const [, width = '', height = ''] = /^(\d+)x(\d+)$/.exec(text) ?? [];
  if (Number(width) > 0 && Number(height) > 0) return [Number(width), Number(height)];
  throw new InvalidArgumentError('Expected width and height such as 320x240.');
}

const EXAMPLES = `
Examples:
  morphmlp predict clip.mp4 --checkpoint runs/mine/best.safetensors --top 3
  morphmlp predict videos/ photo.jpg --checkpoint runs/mine/best.safetensors --sheet seen.png
  morphmlp predict videos/ --checkpoint runs/mine --csv predictions.csv
  morphmlp predict long.mp4 --checkpoint runs/mine --every 1s --timeline long.html
  morphmlp predict frames/0001/ --frames-as-clip --checkpoint runs/mine/best.safetensors --json
  ffmpeg -i clip.mp4 -f matroska - | morphmlp predict - --checkpoint runs/mine/best.safetensors
  camera --rgb | morphmlp predict - --frame-size 320x240 --checkpoint runs/mine/best.safetensors

A folder is expanded to the videos and pictures in it, at any depth; what is left out is counted by kind. A video model sees
a picture as a still clip; an image model sees the middle frame of a video. --clips and --crops average the scores of several
views. With --every there is a prediction for each window: a clip's span, at every whole multiple of the distance at which it
lies in the video.`;

/** Adds `morphmlp predict`. */
export function registerPredict(program: Command): void {
  const command = program
    .command('predict')
    .description('classify videos and pictures, or segment a picture, with a trained model')
    .argument('<inputs...>', 'videos, pictures, folders of them, or - for standard input')
    .requiredOption(
      '--checkpoint <path>',
      'a .safetensors file that training wrote, the folder of a run (its best), or a PyTorch .pth',
    )
    .option('--top <n>', 'number of classes to show', wholeNumber(1), 5)
    .option('--json', 'print one JSON object per line')
    .option('--csv <file>', 'write a line for each input or window: its predicted class and scores')
    .addOption(
      new Option('--every <distance>', 'a prediction for each window of a video, such as 1s or 16f (frames)')
        .argParser(distance)
        .conflicts(['clips', 'framesAsClip']),
    )
    .option('--window <length>', 'length of a window, for models that take a frame of each part of a video', distance)
    .option('--timeline <file>', 'with --every: draw the classes over time, as .svg or as a page (.html)')
    .option('--sheet <file.png>', 'write a contact sheet of the frames that the network received, with its predictions')
    .option('--frames-as-clip', 'treat a folder of pictures as one clip, with frames in the order of their names')
    .option('--frame-size <WxH>', 'standard input is raw RGB frames of this size (3 bytes a pixel)', frameSize)
    .option('--clips <n>', 'views in time, evenly spread', wholeNumber(1), 1)
    .addOption(new Option('--crops <n>', 'views in space: 1 (centre) or 3').choices(['1', '3']).default('1'))
    .option('--ignore-sar', 'treat the stored pixels of videos as square, as decord and torchvision do')
    .addOption(deviceOption())
    .addOption(precisionOption())
    .option('--out <file.png>', 'segmentation: write the mask, a palette of the classes')
    .option('--overlay <file.png>', 'segmentation: write the picture with the colours of its classes over it');
  addSegmentOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (inputs: string[], given: PredictArguments) =>
      (await import('./predict_action.js')).predict(inputs, given),
    );
}
