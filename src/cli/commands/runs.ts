import type { Command } from 'commander';

/** Adds `morphmlp runs list` and `morphmlp runs compare`. */
export function registerRuns(program: Command): void {
  const runs = program.command('runs').description('list runs, and compare their settings and results');
  runs
    .command('list')
    .description('list the runs in a folder, newest first, with their results')
    .argument('[folder]', 'a folder of runs, searched three levels deep', 'runs')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExamples:\n  morphmlp runs list\n  morphmlp runs list experiments --json')
    .action(async (folder: string, given: { json?: boolean }) =>
      (await import('./runs_action.js')).listRuns(folder, given),
    );
  runs
    .command('compare')
    .description('compare runs: settings that differ, accuracies, losses, time, parameters')
    .argument('<folders...>', 'folders of two to eight runs; one may still be running')
    .option('--html <file>', 'write a page with the curves of all runs')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  morphmlp runs compare runs/plain runs/augmented\n  morphmlp runs compare runs/* --html compare.html',
    )
    .action(async (folders: string[], given: { html?: string; json?: boolean }) =>
      (await import('./runs_action.js')).compare(folders, given),
    );
}
