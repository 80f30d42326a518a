import type { Command } from 'commander';
import { wholeNumber } from './options';
import type { PredictArguments } from './predict_action';

/** Adds `morphmlp predict`. */
export function registerPredict(program: Command): void {
  program
    .command('predict')
    .description('classify videos with a trained model')
    .argument('<videos...>', 'video files, or folders of them')
    .requiredOption('--checkpoint <file>', 'a .safetensors file that training wrote, or a PyTorch .pth')
    .option('--top <n>', 'how many classes to show', wholeNumber(1), 5)
    .option('--json', 'print one JSON object a line')
    .addHelpText(
      'after',
      '\nExamples:\n  morphmlp predict clip.mp4 --checkpoint runs/mine/best.safetensors --top 5\n  morphmlp predict videos/ --checkpoint runs/mine/best.safetensors --json',
    )
    .action(async (videos: string[], given: PredictArguments) =>
      (await import('./predict_action.js')).predict(videos, given),
    );
}
