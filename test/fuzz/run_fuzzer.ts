/** Runs the fuzzers of this folder in child processes, each with a seed of its own. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { loadAddon } from '../../src/core/addon_path';

const PER_CHILD = 10_000;
/** A child that takes longer has stopped responding. */
const LIMIT_MS = 300_000;

const SCRIPTS = {
  kernels: [path.join(__dirname, 'kernels.cjs'), loadAddon().file],
  api: [path.join(__dirname, 'api.cjs')],
};

/** How a child ended, and what it found. */
interface Ended {
  seed: number;
  status: number | null;
  signal: string | null;
  ran: number;
  problems: string[];
}

function child(of: keyof typeof SCRIPTS, seed: number): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const args = [...SCRIPTS[of], String(seed), String(PER_CHILD)];
    const process_ = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: LIMIT_MS });
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    process_.stdout.on('data', (data: Buffer) => out.push(data));
    process_.stderr.on('data', (data: Buffer) => err.push(data));
    process_.once('error', reject);
    process_.once('close', (status, signal) => {
      const text = Buffer.concat(out).toString();
      const failed = { ran: 0, problems: [Buffer.concat(err).toString().slice(-2000)] };
      const found = status === 0 ? (JSON.parse(text) as { ran: number; problems: string[] }) : failed;
      resolve({ seed, status, signal, ran: found.ran, problems: found.problems });
    });
  });
}

/** Makes `calls` calls, two children at a time, and expects no crash, hang or problem. Returns how many calls were accepted. */
export async function fuzz(of: keyof typeof SCRIPTS, calls: number): Promise<number> {
  const last = Math.ceil(calls / PER_CHILD);
  let [ran, seed] = [0, 0];
  const work = async (): Promise<void> => {
    while (seed < last) {
      const ended = await child(of, ++seed);
      expect(ended).toEqual({ ...ended, status: 0, signal: null, problems: [] });
      ran += ended.ran;
    }
  };
  await Promise.all([work(), work()]);
  process.stdout.write(`${calls} random calls of ${of}: ${ran} accepted, the others refused by a sentence\n`);
  return ran;
}
