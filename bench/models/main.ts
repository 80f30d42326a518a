// npm run bench:models [-- --peers] [--cases 'video-s-16 forward 1,…'] [--rounds N] [--threads N]
// Times whole models; with --peers PyTorch and ONNX Runtime take turns with us, repetition by repetition, in one run.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { gmacs } from '../../src/models/flops';
import { VARIANTS } from '../../src/models/config';
import { setThreads } from '../../src/runtime';
import { machine } from '../../src/bench/machine';
import { median } from '../../src/bench/statistics';
import { CASES, parseCase } from './case';
import { missingPeers, startOurs, startPeers, type Peer } from './peer';

/** One case of one peer. */
interface Row {
  case: string;
  peer: string;
  medianMs: number;
  minMs: number;
  ms: number[];
  gflops: number;
  shareOfPeak: number;
  peakRssMb: number | null;
}

/** 2 a multiply-add; a training step counts three forwards. */
function gflop(text: string): number {
  const { variant, work, batch } = parseCase(text);
  return gmacs(VARIANTS[variant]!.config) * batch * (work === 'forward' ? 2 : 6);
}

async function interleave(
  peers: Peer[],
  text: string,
  rounds: number,
  onPeak: (gflops: number, rss: number) => void,
): Promise<number[][]> {
  const times: number[][] = peers.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, peer] of peers.entries()) times[i]!.push((await peer.ask(`run ${text}`)).ms as number);
    const { gflops, rss } = await peers[0]!.ask('peak');
    onPeak(gflops as number, rss as number);
  }
  return times;
}

/** Both outputs were held to float64 already; this shows that they answer the same question. */
function checkSame(text: string, ours: unknown, theirs: unknown): void {
  const [a, b] = [[ours].flat(3) as number[], [theirs].flat(3) as number[]];
  const norm = Math.hypot(...b);
  const error = Math.hypot(...a.map((v, i) => v - (b[i] as number))) / norm;
  if (a.length !== b.length || !(error <= 4e-6))
    throw new Error(`${text}: our output and the peer's differ by ${error}`);
}

async function measure(
  text: string,
  { peers: wanted, rounds, threads }: { peers: boolean; rounds: number; threads: number },
): Promise<Row[]> {
  const peers = [startOurs(threads), ...(wanted ? startPeers(threads, parseCase(text).work === 'forward') : [])];
  try {
    const outputs: unknown[] = [];
    for (const peer of peers)
      outputs.push((await peer.ask(`setup ${text}`)).output ?? (await peer.ask(`output ${text}`)).output);
    outputs.slice(1).forEach((output) => checkSame(text, outputs[0], output));
    const peaks: number[] = [];
    let memory = 0;
    const times = await interleave(peers, text, rounds, (gflops, rss) => {
      peaks.push(gflops);
      memory = rss;
    });
    const peak = median(peaks);
    return peers.map((peer, i) => {
      const ms = times[i] as number[];
      const gflops = (gflop(text) / median(ms)) * 1e3;
      return {
        case: text,
        peer: peer.name,
        medianMs: median(ms),
        minMs: Math.min(...ms),
        ms,
        gflops,
        shareOfPeak: gflops / peak,
        peakRssMb: i === 0 ? memory : null,
      };
    });
  } finally {
    peers.forEach((peer) => peer.quit());
  }
}

function show(rows: Row[]): void {
  for (const row of rows) {
    const ratio = row.medianMs / rows[0]!.medianMs;
    const against = row === rows[0] ? '' : `  ours is ${ratio.toFixed(2)}x as fast`;
    const memory = row.peakRssMb ? `  ${row.peakRssMb.toFixed(0)} MB` : '';
    const figures = `${row.medianMs.toFixed(1).padStart(8)} ms  ${row.gflops.toFixed(1).padStart(6)} GFLOP/s  ${(row.shareOfPeak * 100).toFixed(1).padStart(5)}% of FMA peak`;
    console.log(`${row.case.padEnd(22)} ${row.peer.padEnd(12)} ${figures}${memory}${against}`);
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      peers: { type: 'boolean', default: false },
      cases: { type: 'string' },
      rounds: { type: 'string', default: '9' },
      threads: { type: 'string', default: '2' },
      out: { type: 'string' },
    },
  });
  const options = { peers: values.peers, rounds: Number(values.rounds), threads: Number(values.threads) };
  setThreads(options.threads);
  if (options.peers) missingPeers().forEach((hint) => console.log(`absent: ${hint}`));
  const file = values.out ?? path.join('bench', 'results', 'models.json');
  const rows: Row[] = [];
  for (const text of values.cases?.split(',').map((t) => t.trim()) ?? CASES) {
    const measured = await measure(text, options);
    show(measured);
    rows.push(...measured);
    writeFileSync(file, `${JSON.stringify({ machine: machine(), rows }, null, 1)}\n`);
  }
  console.log(`written to ${file}`);
}

void main();
