import { format } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { collectDoctor } from './commands/doctor';
import { doctorText } from './commands/doctor_text';
import { registerBench } from './commands/bench';
import { registerConvert } from './commands/convert';
import { registerData } from './commands/data';
import { registerEvaluate } from './commands/evaluate';
import { registerExport } from './commands/export';
import { registerFlops } from './commands/flops';
import { registerKernel } from './commands/kernel';
import { registerPredict } from './commands/predict';
import { registerPrepare } from './commands/prepare';
import { registerReport } from './commands/report';
import { registerRuns } from './commands/runs';
import { registerStudy } from './commands/study';
import { registerTrain } from './commands/train';
import { registerVerify } from './commands/verify';
import { detectLaunch, refuseSeveral } from '../distributed/launch';
import { currentSession, isShared } from '../distributed/session';
import { printable, printableColoured } from '../terminal/text_width';
import { addGemmOption } from './gemm_option';
import { packageVersion } from '../core/version';

async function doctor({ json }: { json?: boolean }): Promise<void> {
  const report = await collectDoctor(async () => (await import('./commands/kernel_self_check.js')).selfTest());
  console.log(json ? JSON.stringify(report, null, 2) : doctorText(report));
  if ('missing' in report.addon || report.selfTest?.ok === false) process.exitCode = 1;
}

/** Whether this is the first of the processes that a launcher started, or the only one: it prints what all would print. */
const isFirst = (): boolean => (detectLaunch()?.rank ?? 0) === 0;

/** Milliseconds by which the others print later: by then the first has printed the same and the launcher has ended them. */
const SAME_REASON_MS = 1000;

const program = new Command('morphmlp')
  .description('Train, evaluate and study MorphMLP video and image networks')
  .configureOutput({
    outputError: (text, write) => isFirst() && write(printable(text.replace(/^error: /, 'morphmlp: '))),
  }) // as all other errors
  .version(packageVersion());

registerTrain(program);
registerEvaluate(program);
registerPredict(program);
registerRuns(program);
registerReport(program);
registerPrepare(program);
registerData(program);
registerBench(program);
registerKernel(program);
registerStudy(program);
registerConvert(program);
registerExport(program);
registerFlops(program);
registerVerify(program);
addGemmOption(program);

program
  .command('doctor')
  .description('show what this machine has and lacks: tools, processor, decoder, CUDA, the native addon')
  .option('--json', 'print as JSON')
  .action(doctor);

// A closed pipe (`| head`) is not an error: the command continues and its output files are complete.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

// Escapes control characters in all output, so that names from files and lists cannot move the cursor or set titles.
for (const method of ['log', 'error', 'warn'] as const) {
  const print = console[method].bind(console);
  console[method] = (...values: unknown[]) => print(printableColoured(format(...values)));
}
const printError = console.error;

/** Commands that several ranks share out, or that look at one process. */
const FOR_RANKS = ['train', 'bench distributed', 'evaluate', 'data check', 'prepare', 'doctor'];
program.hook('preAction', (_program, action) => {
  const names: string[] = [];
  for (let command: Command | null = action; command?.parent; command = command.parent) names.unshift(command.name());
  if (!FOR_RANKS.includes(names.join(' '))) refuseSeveral(names.join(' '));
});

/** Prints why the program ends. Where ranks end together the main one does; a rank that ends alone ends the others. */
async function endFor(error: Error): Promise<void> {
  const session = currentSession();
  const isMine = session === null || !isShared(error);
  if (session === null && !isFirst()) await sleep(SAME_REASON_MS);
  const who = session && isMine ? `${session.label}: ` : '';
  if (isMine || session.isMain) printError(`morphmlp: ${who}${printable(error.message)}`);
  process.exitCode ??= 1;
  if (isMine) session?.abort(1);
  else session.close();
}

program.parseAsync().then(() => currentSession()?.close(), endFor);
