import type { Command } from 'commander';
import type { ExportArguments } from './export_action';
import { wholeNumber } from '../options';

/** Adds `morphmlp export`. */
export function registerExport(program: Command): void {
  program
    .command('export')
    .description('write a model as an ONNX file for inference, with any batch')
    .argument('<checkpoint>', 'a .safetensors file, or a PyTorch .pth')
    .argument('<file>', 'the .onnx file to write')
    .option('--opset <n>', 'version of the ONNX operators; only 17 is supported', wholeNumber(1), 17)
    .option('--size <pixels>', "side of the square frames (default: the checkpoint's crop)", wholeNumber(32))
    .option('--argmax', 'segmentation: write the class of each pixel instead of logits')
    .addHelpText(
      'after',
      `
Examples:
  morphmlp export runs/mine/best.safetensors mine.onnx
  morphmlp export image_t.safetensors image_t.onnx --opset 17 --size 256

Input pixels [batch, 3, T, H, W] (images: [batch, 3, H, W]), red, green, blue, each (value / 255 - mean) / std with the checkpoint's
mean and std. The file's metadata_props hold all of the input specification (\`input\`) and the class names (\`classNames\`) as JSON. The output
is logits [batch, classes]; of a segmentation [batch, classes, H, W] at the picture's size, or classes [batch, H, W] with --argmax.`,
    )
    .action(async (checkpoint: string, file: string, given: ExportArguments) =>
      (await import('./export_action.js')).exportModel(checkpoint, file, given),
    );
}
