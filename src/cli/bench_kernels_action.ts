import { benchCase, type KernelRow } from '../bench/kernels';
import { machine } from '../bench/machine';
import { chooseCases } from '../bench/ops';
import { OURS } from '../bench/variant';
import { writeFileAtomic } from '../io/atomic';
import { requireDevice, setThreads, threads } from '../runtime';
import type { Device } from '../native';
import { percent, significant, table } from './format';
import { withProgress } from './progress';

/** What `morphmlp bench kernels` is given. */
export interface BenchKernelsArguments {
  op?: string[];
  stage?: number[];
  dtype: 'f32' | 'bf16';
  device: Device;
  cache: 'warm' | 'cold' | 'both';
  clock: 'wall' | 'cpu';
  threads?: number;
  rounds: number;
  verify: boolean;
  out?: string;
}

/** Nothing is measured in place of something else. */
function checkAsked({ dtype, device }: BenchKernelsArguments): void {
  requireDevice(device);
  if (dtype !== 'f32') throw new Error(`--dtype ${dtype}: on the CPU the kernels are f32`);
}

const HEAD = ['op', 'stage', '', 'variant', 'cache', 'ms', 'middle half', 'GFLOP/s', 'GB/s', 'of limit', 'error'];
const ALIGN = ['left', 'right', 'left', 'left', 'left', 'right', 'right', 'right', 'right', 'right', 'right'] as const;

function cells(row: KernelRow): (string | number)[] {
  return [
    ...[row.op, row.stage, row.direction, row.variant, row.cache],
    ...[row.median.toFixed(2), `${row.q1.toFixed(2)}–${row.q3.toFixed(2)}`],
    ...[row.gflops === 0 ? '–' : significant(row.gflops, 3), significant(row.gbs, 3)],
    ...[`${percent(row.shareOfLimit, 0)} ${row.limit}`, row.error === null ? 'unverified' : row.error.toExponential(1)],
  ];
}

/** Runs `morphmlp bench kernels`. */
export async function benchKernels(given: BenchKernelsArguments): Promise<void> {
  checkAsked(given);
  const { rounds, verify: check, cache, clock, out } = given;
  const cases = chooseCases(given.op, given.stage);
  setThreads(clock === 'cpu' ? 1 : (given.threads ?? threads()));
  const caches = cache === 'both' ? (['warm', 'cold'] as const) : [cache];
  const rows = await withProgress({ label: 'measuring', total: cases.length }, (bar) =>
    Promise.resolve(
      cases.flatMap((c, i) => {
        const measured = benchCase(c, [OURS], { rounds, caches, clock, check });
        bar.update(i + 1);
        return measured;
      }),
    ),
  );
  console.log(table(rows.map(cells), { head: HEAD, align: [...ALIGN] }));
  const where = machine();
  console.log(
    `${where.cpu}, ${where.threads} threads, ${where.kernels}, commit ${where.commit ?? `of ${where.version}`}; medians of ${rounds} rounds`,
  );
  if (out)
    writeFileAtomic(out, (write) => write(Buffer.from(`${JSON.stringify({ machine: where, rows }, null, 1)}\n`)));
}
