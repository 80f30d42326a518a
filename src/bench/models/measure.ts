import { relativeError } from '../op_cases/compare';
import { gmacs } from '../../models/flops';
import { defaultRecompute, VARIANTS } from '../../models/config';
import type { Precision } from '../../core/native';
import type { Launch } from '../kernels/rounds';
import { median } from '../statistics';
import { parseCase, type ModelCase, type PeerName } from './case';
import { startOurs, startPeers, type Peer, type Terms } from './peer';

/** The measurement of one case for one peer. */
export interface ModelRow {
  case: string;
  peer: string;
  precision: Precision;
  /** The number of blocks that ours recomputed in the backward. */
  recompute: number;
  /** The launch mode of ours; absent for peers and on a CPU. */
  launch?: Launch;
  medianMs: number;
  minMs: number;
  ms: number[];
  /** Clips or images per second. */
  perSecond: number;
  gflops: number;
  /** The fraction of peak FMA throughput, measured in the same rounds. */
  shareOfPeak: number;
  /** Relative L2 error against float64; ours on the reference input if no peer has an oracle for the common input. */
  error: number;
  /** Peak memory in MiB: of the whole process on a CPU, of tensors on a GPU. */
  peakMb: number;
}

/** FLOPs in billions: 2 per multiply-add; a training step counts as three forward passes. */
const gflopOf = ({ variant, work, batch }: ModelCase): number =>
  gmacs(VARIANTS[variant]!.config) * batch * (work === 'forward' ? 2 : 6);

/** A peer that is set up, with its answers. */
interface Ready {
  peer: Peer;
  error: number;
  output: number[];
  /** The float64 output for the same input, from a peer that computes it. */
  oracle: number[] | null;
}

const numbers = (value: unknown): number[] | null =>
  value === undefined || value === null ? null : ([value].flat(3) as number[]);

async function setUp(peer: Peer, text: string): Promise<Ready> {
  const { error, output, oracle } = await peer.ask(`setup ${text}`);
  const found = numbers(output) ?? numbers((await peer.ask(`output ${text}`)).output);
  return { peer, error: error as number, output: found!, oracle: numbers(oracle) };
}

/**
 * Compares the peers' outputs with ours; each process has verified its own against float64. In bf16 our error may be at most twice
 * PyTorch's.
 */
function checkSame(text: string, [ours, ...theirs]: readonly Ready[], precision: Precision): void {
  const eager = theirs.find(({ oracle }) => oracle !== null);
  if (eager) ours!.error = relativeError(ours!.output, eager.oracle!);
  if (precision === 'bf16' && eager && !(ours!.error <= 2 * eager.error))
    throw new Error(
      `${text}: the error of our output against float64 is ${ours!.error}, that of ${eager.peer.name} ${eager.error}`,
    );
  for (const { peer, output } of precision === 'f32' ? theirs : []) {
    const error = relativeError(ours!.output, output);
    if (!(error <= 4e-6)) throw new Error(`${text}: our output and that of ${peer.name} differ by ${error}`);
  }
}

/** Measurements of all rounds of a case. */
interface Found {
  times: number[][];
  peak: number;
  megabytes: number[];
}

async function interleaveRounds(
  peers: readonly Peer[],
  text: string,
  rounds: number,
  onRound: () => void,
): Promise<Found> {
  const [times, peaks] = [peers.map((): number[] => []), [] as number[]];
  for (let round = 0; round < rounds; round++) {
    for (const [i, peer] of peers.entries()) times[i]!.push((await peer.ask(`run ${text}`)).ms as number);
    peaks.push((await peers[0]!.ask(`peak ${text}`)).gflops as number);
    onRound();
  }
  const megabytes = await Promise.all(peers.map(async (peer) => (await peer.ask(`peak ${text}`)).mb as number));
  return { times, peak: median(peaks), megabytes };
}

function rowsOf(
  what: ModelCase,
  ready: readonly Ready[],
  found: Found,
  { precision, recompute, device, launch }: Terms,
): ModelRow[] {
  const unasked = defaultRecompute(VARIANTS[what.variant]!.config, precision, device);
  const again = what.work === 'train' ? (recompute ?? unasked) : 0;
  return ready.map(({ peer, error }, i) => {
    const ms = found.times[i]!;
    const gflops = (gflopOf(what) / median(ms)) * 1e3;
    return {
      ...{ case: what.text, peer: peer.name, precision, recompute: i === 0 ? again : 0 },
      ...(i === 0 && device === 'cuda' && launch ? { launch } : {}),
      ...{ medianMs: median(ms), minMs: Math.min(...ms), ms },
      ...{ perSecond: (1e3 * what.batch) / median(ms), gflops, shareOfPeak: gflops / found.peak },
      ...{ error, peakMb: found.megabytes[i]! },
    };
  });
}

/** How to measure a case. */
export interface ModelRounds extends Terms {
  /** Programs to compare with, where they are. */
  peers: readonly PeerName[];
  rounds: number;
  /** Called with the current activity. */
  onStep: (doing: string) => void;
  /** Called with the reason if a peer cannot run a case; the others are measured. */
  onMissing: (problem: string) => void;
}

/** Sets up the peers, ours first. A peer that fails or is wrong is reported and left out; ours must succeed. */
async function setUpAll([ours, ...theirs]: readonly Peer[], text: string, options: ModelRounds): Promise<Ready[]> {
  const setUpPeer = (peer: Peer) => {
    options.onStep(`${peer.name}: verifying against float64`);
    return setUp(peer, text);
  };
  const ready = [await setUpPeer(ours!)];
  for (const peer of theirs) {
    try {
      ready.push(await setUpPeer(peer));
    } catch (error) {
      options.onMissing(`${text}: ${(error as Error).message}`);
      peer.quit();
    }
  }
  return ready;
}

/** Starts one process for ours and each peer, verifies their outputs, and times them in interleaved rounds. */
export async function measureModel(text: string, options: ModelRounds): Promise<ModelRow[]> {
  const what = parseCase(text);
  const peers = [startOurs(options), ...startPeers(what, options, options.peers)];
  try {
    const ready = await setUpAll(peers, what.text, options);
    checkSame(what.text, ready, options.precision);
    let round = 0;
    const next = () => options.onStep(`round ${Math.min(++round, options.rounds)} of ${options.rounds}`);
    next();
    const participants = ready.map(({ peer }) => peer);
    const found = await interleaveRounds(participants, what.text, options.rounds, next);
    return rowsOf(what, ready, found, options);
  } finally {
    peers.forEach((peer) => peer.quit());
  }
}
