// npm run bench:gemm [-- --threads N] [--rounds N] [--out FILE]
// Times the network's FCs as plain GEMMs, y = x wT in f32: ours, MKL, oneDNN, OpenBLAS and BLIS in interleaved rounds. The peers need
// MORPHMLP_TORCH_PYTHON, an interpreter with PyTorch (bench/peers/README.md).
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { noGrad } from '../src/core/autograd';
import { linear } from '../src/ops/linear';
import { fmaPeak, setThreads, threads } from '../src/core/runtime';
import { scope } from '../src/core/scope';
import { linearCase } from '../src/bench/op_cases/linear';
import { makeInput, makeTensor, mapInputs } from '../src/bench/op_cases/tensors';
import { machine } from '../src/bench/machine';
import { median } from '../src/bench/statistics';
import { Peer } from '../src/bench/models/peer';
import { STAGES } from '../src/bench/kernels/stages';
import { verify } from '../src/bench/kernels/verify';

interface Shape {
  what: string;
  rows: number;
  n: number;
  k: number;
}

interface Row extends Shape {
  peakGflops: number;
  /** Median GFLOP/s by library; ours is `morphmlp`. */
  gflops: Record<string, number>;
}

/** The square FCs (branches, projections) and the two of the MLP at each stage. */
const SHAPES: Shape[] = STAGES.flatMap(({ number, channels: c, tokens }) => [
  { what: `stage ${number} C to C`, rows: tokens, n: c, k: c },
  { what: `stage ${number} C to 3C`, rows: tokens, n: 3 * c, k: c },
  { what: `stage ${number} 3C to C`, rows: tokens, n: c, k: 3 * c },
]);

/** Waits until the threads of a library stop spinning after a GEMM, so that they do not slow the next library. */
const threadsIdle = () => new Promise((resolve) => setTimeout(resolve, 50));

async function measure(shape: Shape, peer: Peer | null, rounds: number): Promise<Row> {
  const { rows, n, k } = shape;
  const { forward } = verify(linearCase([Math.min(rows, 300)], n, k, { bias: false }), k);
  if (!(forward < 1e-6)) throw new Error(`${shape.what}: our result differs from float64 by ${forward}`);
  const c = linearCase([rows], n, k, { bias: false });
  const { x, weight } = mapInputs(c, (input, _, i) => makeTensor(input, makeInput(input, i), false));
  const libraries = peer ? ((await peer.ask(`setup ${rows} ${n} ${k}`)).libraries as string[]) : [];
  const times: Record<string, number[]> = Object.fromEntries(['morphmlp', ...libraries].map((name) => [name, []]));
  const peaks: number[] = [];
  for (let round = -2; round < rounds; round++) {
    peaks.push(fmaPeak(0.05));
    await threadsIdle();
    const start = performance.now();
    scope(() => void noGrad(() => linear(x!, weight!, null)));
    if (round >= 0) times.morphmlp!.push(performance.now() - start);
    for (const name of libraries) {
      await threadsIdle();
      const { ms } = await peer!.ask(`run ${name}`);
      if (round >= 0) times[name]!.push(ms as number);
    }
  }
  x!.dispose();
  weight!.dispose();
  const rate = (ms: number[]) => (2 * rows * n * k) / median(ms) / 1e6;
  const gflops = Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, rate(ms)]));
  return { ...shape, peakGflops: median(peaks), gflops };
}

function show({ what, peakGflops, gflops }: Row): void {
  const cells = Object.entries(gflops).map(
    ([name, rate]) => `${name} ${rate.toFixed(0).padStart(4)} (${((100 * rate) / peakGflops).toFixed(0)}%)`,
  );
  console.log(`${what.padEnd(15)} ${cells.join('  ')}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { threads: { type: 'string' }, rounds: { type: 'string', default: '15' }, out: { type: 'string' } },
  });
  setThreads(Number(values.threads ?? threads()));
  const python = process.env.MORPHMLP_TORCH_PYTHON;
  if (!python) console.log('absent: MKL, oneDNN, OpenBLAS, BLIS; MORPHMLP_TORCH_PYTHON names no interpreter');
  const script = path.join(__dirname, 'peers', 'gemm.py');
  const peer = python ? new Peer('gemm.py', python, [script, '--threads', String(threads())]) : null;
  console.log('GFLOP/s (share of FMA peak)');
  const rows: Row[] = [];
  for (const shape of SHAPES) {
    rows.push(await measure(shape, peer, Number(values.rounds)));
    show(rows[rows.length - 1]!);
  }
  peer?.quit();
  const file = values.out ?? path.join('bench', 'results', 'gemm.json');
  writeFileSync(file, `${JSON.stringify({ machine: machine(), rows }, null, 1)}\n`);
  console.log(`written to ${file}`);
}

void main();
