import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';

type Answer = Record<string, unknown>;

/** A process that times cases on request, one JSON line for each request line. */
export class Peer {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly waiting: ((answer: Answer) => void)[] = [];

  constructor(
    readonly name: string,
    command: string,
    args: string[],
    env: NodeJS.ProcessEnv = {},
  ) {
    this.child = spawn(command, args, { env: { ...process.env, ...env } });
    this.child.stderr.pipe(process.stderr);
    readline
      .createInterface({ input: this.child.stdout })
      .on('line', (line) => this.waiting.shift()?.(JSON.parse(line) as Answer));
    this.child.on('close', () => this.waiting.splice(0).forEach((settle) => settle({ error: `${name} ended` })));
  }

  async ask(line: string): Promise<Answer> {
    const answer = new Promise<Answer>((resolve) => this.waiting.push(resolve));
    this.child.stdin.write(`${line}\n`);
    const got = await answer;
    if (typeof got.error === 'string') throw new Error(`${this.name}: ${got.error}`);
    return got;
  }

  quit(): void {
    this.child.stdin.end('quit\n');
  }
}

const PEERS = path.join(__dirname, '..', 'peers');

/** Ours. */
export function startOurs(threads: number): Peer {
  const server = path.join(__dirname, 'server.ts');
  return new Peer('morphmlp', process.execPath, ['--import', 'tsx', server], { MORPHMLP_THREADS: String(threads) });
}

/** PyTorch, where MORPHMLP_TORCH_PYTHON names an interpreter that has it; ONNX Runtime, where MORPHMLP_ORT_DIR and MORPHMLP_ONNX_DIR do. */
export function startPeers(threads: number, forward: boolean): Peer[] {
  const { MORPHMLP_TORCH_PYTHON: python, MORPHMLP_ORT_DIR: ort, MORPHMLP_ONNX_DIR: models } = process.env;
  const peers: Peer[] = [];
  if (python)
    peers.push(new Peer('pytorch', python, [path.join(PEERS, 'bench.py'), '--serve', '--threads', String(threads)]));
  if (forward && ort && models && existsSync(models)) {
    peers.push(
      new Peer('onnxruntime', process.execPath, [
        path.join(PEERS, 'ort.mjs'),
        models,
        '--serve',
        '--threads',
        String(threads),
      ]),
    );
  }
  return peers;
}

/** What to do to get peers that are absent. */
export function missingPeers(): string[] {
  const hints: string[] = [];
  if (!process.env.MORPHMLP_TORCH_PYTHON)
    hints.push('PyTorch: set MORPHMLP_TORCH_PYTHON to a python that has torch (bench/peers/README.md)');
  if (!process.env.MORPHMLP_ORT_DIR || !process.env.MORPHMLP_ONNX_DIR) {
    hints.push('ONNX Runtime: set MORPHMLP_ORT_DIR and MORPHMLP_ONNX_DIR (bench/peers/README.md)');
  }
  return hints;
}
