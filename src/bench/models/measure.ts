import { relativeError } from '../op_cases/compare';
import { gmacs } from '../../models/flops';
import { VARIANTS } from '../../models/config';
import type { Precision } from '../../core/native';
import type { Launch } from '../kernels/rounds';
import { median } from '../statistics';
import { parseCase, type ModelCase } from './case';
import { startOurs, startPeers, type Peer, type Terms } from './peer';

/** One case of one peer. */
export interface ModelRow {
  case: string;
  peer: string;
  precision: Precision;
  /** Blocks that ours computed again in the backward. */
  recompute: number;
  /** How ours got to the GPU; absent for peers and on a CPU. */
  launch?: Launch;
  medianMs: number;
  minMs: number;
  ms: number[];
  /** Clips or images. */
  perSecond: number;
  gflops: number;
  /** Of the multiply-adds from registers that the device did in the same rounds. */
  shareOfPeak: number;
  /** Relative L2 error against float64: ours of the reference input where no peer knows the common one's. */
  error: number;
  /** The most memory so far: of the process on a CPU, everything included; of tensors on a GPU. */
  peakMb: number;
}

/** Multiply-adds are 2; a training step counts three forwards. */
const gflopOf = ({ variant, work, batch }: ModelCase): number =>
  gmacs(VARIANTS[variant]!.config) * batch * (work === 'forward' ? 2 : 6);

/** A peer that is set up, and what it answered. */
interface Ready {
  peer: Peer;
  error: number;
  output: number[];
  /** Of the same input in float64, from a peer that computes it. */
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
 * Each output was held to float64 by its own process; here all are held to each other. In bf16 ours may be twice as far from float64 as
 * PyTorch's own is.
 */
function checkSame(text: string, [ours, ...theirs]: readonly Ready[], precision: Precision): void {
  const eager = theirs.find(({ oracle }) => oracle !== null);
  if (eager) ours!.error = relativeError(ours!.output, eager.oracle!);
  if (precision === 'bf16' && eager && !(ours!.error <= 2 * eager.error))
    throw new Error(`${text}: our output is ${ours!.error} from float64, ${eager.peer.name}'s ${eager.error}`);
  for (const { peer, output } of precision === 'f32' ? theirs : []) {
    const error = relativeError(ours!.output, output);
    if (!(error <= 4e-6)) throw new Error(`${text}: our output and that of ${peer.name} differ by ${error}`);
  }
}

/** What all rounds of a case found. */
interface Found {
  times: number[][];
  peak: number;
  megabytes: number[];
}

async function takeTurns(peers: readonly Peer[], text: string, rounds: number, onRound: () => void): Promise<Found> {
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
  { precision, recompute = 0, device, launch }: Terms,
): ModelRow[] {
  return ready.map(({ peer, error }, i) => {
    const ms = found.times[i]!;
    const gflops = (gflopOf(what) / median(ms)) * 1e3;
    return {
      ...{ case: what.text, peer: peer.name, precision, recompute: i === 0 ? recompute : 0 },
      ...(i === 0 && device === 'cuda' && launch ? { launch } : {}),
      ...{ medianMs: median(ms), minMs: Math.min(...ms), ms },
      ...{ perSecond: (1e3 * what.batch) / median(ms), gflops, shareOfPeak: gflops / found.peak },
      ...{ error, peakMb: found.megabytes[i]! },
    };
  });
}

/** How a case is measured. */
export interface ModelRounds extends Terms {
  peers: boolean;
  rounds: number;
  /** Called with what is being done. */
  onStep: (doing: string) => void;
  /** Called with why a peer cannot take part in a case; the others are measured. */
  onMissing: (problem: string) => void;
}

/** The peers that are ready, ours first. One that is wrong or fails is told of; ours must be right. */
async function setUpAll([ours, ...theirs]: readonly Peer[], text: string, options: ModelRounds): Promise<Ready[]> {
  const told = (peer: Peer) => {
    options.onStep(`${peer.name}: held to float64`);
    return setUp(peer, text);
  };
  const ready = [await told(ours!)];
  for (const peer of theirs) {
    try {
      ready.push(await told(peer));
    } catch (error) {
      options.onMissing(`${text}: ${(error as Error).message}`);
      peer.quit();
    }
  }
  return ready;
}

/** Sets ours and the peers up, one process each, holds their outputs to float64 and to each other, and lets them take turns. */
export async function measureModel(text: string, options: ModelRounds): Promise<ModelRow[]> {
  const what = parseCase(text);
  const peers = [startOurs(options), ...(options.peers ? startPeers(what, options) : [])];
  try {
    const ready = await setUpAll(peers, what.text, options);
    checkSame(what.text, ready, options.precision);
    let round = 0;
    const next = () => options.onStep(`round ${Math.min(++round, options.rounds)} of ${options.rounds}`);
    next();
    const taking = ready.map(({ peer }) => peer);
    const found = await takeTurns(taking, what.text, options.rounds, next);
    return rowsOf(what, ready, found, options);
  } finally {
    peers.forEach((peer) => peer.quit());
  }
}
