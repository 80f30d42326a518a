import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { native } from '../../core/native';
import type { ModelCase, PeerName, Where } from './case';

type Answer = Record<string, unknown>;

/** A child process that times cases on request: one JSON line in answer to each request line. */
export class Peer {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly waiting: ((answer: Answer) => void)[] = [];
  private ended = false;

  constructor(
    readonly name: string,
    command: string,
    args: string[],
    env: NodeJS.ProcessEnv = {},
  ) {
    this.child = spawn(command, args, { env: { ...process.env, ...env } });
    this.child.stderr.pipe(process.stderr);
    this.child.stdin.on('error', () => {}); // `close` reports the end of the process
    readline
      .createInterface({ input: this.child.stdout })
      .on('line', (line) => this.waiting.shift()?.(JSON.parse(line) as Answer));
    this.child.on('error', ({ message }) => this.end(message));
    this.child.on('close', () => this.end('its process ended'));
  }

  /** Sends a request and resolves to the answer. Rejects with the error that the process reports, or if it ended. */
  async ask(line: string): Promise<Answer> {
    if (this.ended) throw new Error(`${this.name}: its process ended`);
    const answer = new Promise<Answer>((resolve) => this.waiting.push(resolve));
    this.child.stdin.write(`${line}\n`);
    const got = await answer;
    if (typeof got.error === 'string') throw new Error(`${this.name}: ${got.error}`);
    return got;
  }

  quit(): void {
    this.child.stdin.end('quit\n');
  }

  private end(error: string): void {
    this.ended = true;
    this.waiting.splice(0).forEach((settle) => settle({ error }));
  }
}

const PEERS = path.join(__dirname, '..', '..', '..', 'bench', 'peers');

/** Measuring conditions of a peer. */
export interface Terms extends Where {
  threads: number;
}

/** Starts our own server process. */
export function startOurs({ threads, device, precision, recompute, launch = 'launched' }: Terms): Peer {
  const env = {
    MORPHMLP_THREADS: String(threads),
    MORPHMLP_BENCH_DEVICE: device,
    MORPHMLP_BENCH_PRECISION: precision,
    MORPHMLP_BENCH_RECOMPUTE: recompute === undefined ? '' : String(recompute),
    MORPHMLP_BENCH_LAUNCH: launch,
    ...(device === 'cuda' ? { MORPHMLP_BENCH_GEMM: native.cudaGemm() } : {}),
  };
  return new Peer('morphmlp', process.execPath, [path.join(__dirname, 'server.js')], env);
}

/** Starts PyTorch in eager mode, with torch.compile, or both. */
function torchPeers(python: string, { threads, device, precision }: Terms, names: readonly string[]): Peer[] {
  const args = [path.join(PEERS, 'bench.py'), '--serve', '--threads', String(threads), '--device', device];
  const modes: [name: PeerName, option: string[]][] = [
    ['pytorch', []],
    ['torch.compile', ['--compile']],
  ];
  const asked = modes.filter(([name]) => names.includes(name));
  return asked.map(([name, option]) => new Peer(name, python, [...args, '--precision', precision, ...option]));
}

/**
 * Starts those of the named peers that are configured: PyTorch if MORPHMLP_TORCH_PYTHON names an interpreter that has it; for forward passes on a CPU also ONNX
 * Runtime if MORPHMLP_ORT_DIR and MORPHMLP_ONNX_DIR locate it and the models.
 */
export function startPeers({ work }: ModelCase, terms: Terms, names: readonly PeerName[]): Peer[] {
  const { MORPHMLP_TORCH_PYTHON: python, MORPHMLP_ORT_DIR: ort, MORPHMLP_ONNX_DIR: models } = process.env;
  const peers = python ? torchPeers(python, terms, names) : [];
  if (
    !names.includes('onnxruntime') ||
    work !== 'forward' ||
    terms.device !== 'cpu' ||
    !ort ||
    !models ||
    !existsSync(models)
  )
    return peers;
  const args = [path.join(PEERS, 'ort.mjs'), models, '--serve', '--threads', String(terms.threads)];
  return [...peers, new Peer('onnxruntime', process.execPath, args)];
}

/** Instructions for enabling the peers that are not configured. */
export function missingPeers({ device }: Where): string[] {
  const hints: string[] = [];
  if (!process.env.MORPHMLP_TORCH_PYTHON)
    hints.push('PyTorch: set MORPHMLP_TORCH_PYTHON to a Python interpreter with torch (bench/peers/README.md)');
  if (device === 'cpu' && (!process.env.MORPHMLP_ORT_DIR || !process.env.MORPHMLP_ONNX_DIR))
    hints.push('ONNX Runtime: set MORPHMLP_ORT_DIR and MORPHMLP_ONNX_DIR (bench/peers/README.md)');
  return hints;
}
