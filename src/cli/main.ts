import { format } from 'node:util';
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
import { printable, printableColoured } from '../terminal/text_width';
import { addGemmOption } from './gemm_option';
import { packageVersion } from '../core/version';

async function doctor({ json }: { json?: boolean }): Promise<void> {
  const report = await collectDoctor(async () => (await import('./commands/kernel_self_check.js')).selfTest());
  console.log(json ? JSON.stringify(report, null, 2) : doctorText(report));
  if ('missing' in report.addon || report.selfTest?.ok === false) process.exitCode = 1;
}

const program = new Command('morphmlp')
  .description('Train, evaluate and study MorphMLP video and image networks')
  .configureOutput({ outputError: (text, write) => write(printable(text.replace(/^error: /, 'morphmlp: '))) }) // as all other errors
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

program.parseAsync().catch((error: Error) => {
  console.error(`morphmlp: ${printable(error.message)}`);
  process.exitCode ??= 1;
});
