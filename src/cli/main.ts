import { format } from 'node:util';
import { Command } from 'commander';
import { collectDoctor } from './doctor';
import { doctorText } from './doctor_text';
import { registerBench } from './bench';
import { registerConvert } from './convert';
import { registerData } from './data';
import { registerEvaluate } from './evaluate';
import { registerExport } from './export';
import { registerFlops } from './flops';
import { registerKernel } from './kernel';
import { registerPredict } from './predict';
import { registerPrepare } from './prepare';
import { registerStudy } from './study';
import { registerTrain } from './train';
import { registerVerify } from './verify';
import { printable, printableColoured } from './text_width';
import { packageVersion } from '../version';

async function doctor({ json }: { json?: boolean }): Promise<void> {
  const report = await collectDoctor(async () => (await import('./self_test.js')).selfTest());
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
registerPrepare(program);
registerData(program);
registerBench(program);
registerKernel(program);
registerStudy(program);
registerConvert(program);
registerExport(program);
registerFlops(program);
registerVerify(program);

program
  .command('doctor')
  .description('show what this machine has and lacks: tools, processor, FFmpeg, CUDA, the native addon')
  .option('--json', 'print as JSON')
  .action(doctor);

// A reader that leaves (`| head`) is no failure: the work goes on, and what goes to files is complete.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

// Names out of files and lists cannot move the cursor, set titles or write over lines, wherever they are printed.
for (const method of ['log', 'error', 'warn'] as const) {
  const print = console[method].bind(console);
  console[method] = (...values: unknown[]) => print(printableColoured(format(...values)));
}

program.parseAsync().catch((error: Error) => {
  console.error(`morphmlp: ${printable(error.message)}`);
  process.exitCode ??= 1;
});
