import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { buildCommand, buildKernel, INCLUDE, formatCommand, type Language } from '../../bench/kernels/build_kernel';
import { describePlugin, runKernelJob } from '../../bench/kernels/plugin_process';
import type { Failure, KernelJob, VerifiedPlugin } from '../../bench/kernels/protocol';
import { chooseCases } from '../../bench/kernels/ops';
import { opOfName, template, templateFile } from '../../bench/kernels/template';
import { writeFileAtomic } from '../../formats/atomic';
import { makeFolder } from '../../formats/folder';
import { PLUGGABLE, type PluggableOp } from '../../core/plugins';
import type { Precision } from '../../core/native';
import { requireDevice, threads } from '../../core/runtime';
import { table } from '../../terminal/format';
import { printFailures } from './kernel_table';
import { withProgress, type Progress } from '../../terminal/progress';

/** Arguments of `morphmlp kernel new`. */
export interface NewArguments {
  op?: string;
  lang: Language;
  out: string;
}

function opFor(name: string, asked: string | undefined): PluggableOp {
  const op = asked === undefined ? opOfName(name) : PLUGGABLE.find((one) => one === asked);
  if (op) return op;
  const names = PLUGGABLE.join(', ');
  if (asked !== undefined) throw new Error(`--op ${asked} is not one of ${names}`);
  throw new Error(`${name} ends in the name of no op; name one with --op: ${names}`);
}

/** Runs `morphmlp kernel new`. Does not overwrite an existing file. */
export function newKernel(name: string, { op: asked, lang, out }: NewArguments): void {
  if (!/^[A-Za-z_]\w*$/.test(name))
    throw new Error(`'${name}' cannot name a kernel: expected letters, digits and _, as in my_morph_fc`);
  const op = opFor(name, asked);
  const file = path.join(out, templateFile(name, lang));
  if (existsSync(file)) throw new Error(`${file} is there already, and was not written over`);
  makeFolder(out);
  writeFileAtomic(file, (write) => write(Buffer.from(template(name, op, lang))));
  const library = `.${path.sep}${path.join(out, `${name}.so`)}`;
  console.log(`wrote ${file}, a kernel for ${op}. Next:
  morphmlp kernel build ${file}
  morphmlp kernel check ${library}
  morphmlp bench kernels --plugin ${library}${lang === 'cuda' ? ' --device cuda' : ''}`);
}

/** Runs `morphmlp kernel build`. */
export async function build(source: string, flags: readonly string[]): Promise<void> {
  if (!existsSync(source)) throw new Error(`${source}: no such file`);
  console.log(formatCommand(buildCommand(source, { extra: flags })));
  console.log(`built ${await buildKernel(source, flags)}`);
}

/** Runs `morphmlp kernel include`. */
export function printInclude(): void {
  console.log(INCLUDE);
}

/** Arguments of `morphmlp kernel check`. */
export interface CheckArguments {
  stage?: number[];
  dtype?: Precision;
  threads?: number;
  seed?: number;
  timeout: number;
}

/** An op and stage for which a library passed the check. */
type Row = VerifiedPlugin & { op: string; stage: number; precision: Precision };

interface Check {
  stages: readonly number[] | undefined;
  /** Default: all that the kernel takes. */
  dtype: Precision | undefined;
  seed: number;
  threads: number;
  timeout: number;
}

async function checkLibrary(file: string, check: Check, bar: Progress, failures: Failure[]): Promise<Row[]> {
  const { op, device, dtypes } = await describePlugin(file, check);
  requireDevice(device);
  const rows: Row[] = [];
  const precisions = check.dtype ? [check.dtype] : dtypes;
  for (const dtype of precisions)
    if (!dtypes.includes(dtype))
      throw new Error(`it takes activations in ${dtypes.join(', ')}, not in ${dtype} (--dtype)`);
  for (const [c, precision] of chooseCases([op], check.stages).flatMap((c) =>
    precisions.map((precision) => [c, precision] as const),
  )) {
    const onStep = (_: string | null, doing: string) => bar.update(rows.length, [`${c.op} stage ${c.stage}`, doing]);
    const job: KernelJob = {
      op: c.op,
      stage: c.stage,
      precision,
      plugins: [file],
      device,
      seed: check.seed,
      time: null,
      threads: check.threads,
    };
    const found = await runKernelJob(job, { timeout: check.timeout, onStep });
    failures.push(...found.failures);
    rows.push(...found.checked.map((one) => ({ ...one, op: c.op, stage: c.stage, precision })));
    if (found.failures.length > 0) break; // later shapes are larger and would fail in the same way
  }
  return rows;
}

function printChecked(rows: readonly Row[]): void {
  if (rows.length === 0) return;
  const cells = rows.map(({ plugin, op, stage, precision, forward, gradient }) => [
    ...[path.basename(plugin), op, stage, precision, forward.toExponential(1)],
    gradient === null ? 'none' : gradient.toExponential(1),
  ]);
  const head = ['kernel', 'op', 'stage', 'dtype', 'error forward', 'gradient'];
  console.log(table(cells, { head, align: ['left', 'left', 'right', 'left', 'right', 'right'] }));
}

/** Runs `morphmlp kernel check`; exit status 1 if a library is wrong. */
export async function checkKernels(libraries: readonly string[], given: CheckArguments): Promise<void> {
  const { seed = randomInt(2 ** 20), timeout } = given;
  const check = {
    stages: given.stage,
    dtype: given.dtype,
    seed,
    threads: given.threads ?? threads(),
    timeout: 1000 * timeout,
  };
  const failures: Failure[] = [];
  const rows = await withProgress({ label: 'checking', total: 0 }, async (bar) => {
    const found: Row[] = [];
    for (const file of libraries.map((name) => path.resolve(name))) {
      try {
        found.push(...(await checkLibrary(file, check, bar, failures)));
      } catch (error) {
        failures.push({ plugin: file, at: '', problem: (error as Error).message });
      }
    }
    return found;
  });
  printChecked(rows);
  printFailures(failures);
  console.log(failures.length > 0 ? `numbers of seed ${seed}` : `right, on numbers of seed ${seed}`);
}
