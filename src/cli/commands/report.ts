import type { Command } from 'commander';

/** Adds `morphmlp report`. */
export function registerReport(program: Command): void {
  program
    .command('report')
    .description('write the page of a run anew, from its log and checkpoints, while it runs or after')
    .argument('<run>', "the run's folder")
    .option('--open', 'open the page in the browser')
    .addHelpText('after', '\nExamples:\n  morphmlp report runs/mine\n  morphmlp report runs/mine --open')
    .action(async (folder: string, given: { open?: boolean }) =>
      (await import('./report_action.js')).report(folder, given),
    );
}
