import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { decodeFrames } from '../../../src/data/video/decode';
import { runProgram } from '../../../src/data/video/ffmpeg';
import { probe } from '../../../src/data/video/frame_index';
import { NodeAvDecoder } from '../../../src/data/video/node_av_decoder';
import { afterRunning } from '../../../src/data/video/patience';
import { barNumbers, fixture, from, writeNumbered } from '../video_support';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (name: string) => path.join(folder, name);
const kept = process.env.MORPHMLP_FFMPEG;
afterEach(() => {
  delete process.env.MORPHMLP_FFMPEG;
  if (kept !== undefined) process.env.MORPHMLP_FFMPEG = kept;
});

const by = new NodeAvDecoder();
afterAll(async () => {
  await by.close();
  rmSync(folder, { recursive: true });
});

const childOf = (decoder: NodeAvDecoder): ChildProcess | null =>
  (decoder as unknown as { child: ChildProcess | null }).child;

/** Process group and state of a process; null if it has ended. */
function stat(pid: number): { group: number; state: string } | null {
  if (!existsSync(`/proc/${pid}/stat`)) return null;
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [state, , group] = text.slice(text.lastIndexOf(')') + 2).split(' ') as [string, string, string];
  return { state, group: Number(group) };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
}

const numbersIn = async (decoder: NodeAvDecoder): Promise<number[]> => {
  const file = fixture('h264.mp4');
  const info = await probe(file, {}, decoder);
  const { pixels } = await decodeFrames({ path: file, numbers: [3, 30], size: [128, 64], info }, {}, decoder);
  return barNumbers(pixels, 128, 64);
};

test('the decoding process is not in the process group that Ctrl-C ends', async () => {
  await by.version();
  const own = stat(process.pid)!.group;
  expect(stat(childOf(by)!.pid!)!.group).not.toBe(own);
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const)(
  'a decoding process that is ended by %s is started again, and its files are read',
  async (signal) => {
    await by.version();
    const before = childOf(by)!;
    const reading = numbersIn(by);
    before.kill(signal);
    expect(await reading).toEqual([3, 30]);
    expect(childOf(by)!.pid).not.toBe(before.pid);
  },
);

test('a decoding process that is killed each time is an error, and the file is not at fault', async () => {
  await writeNumbered(at('long.mp4'), 600);
  const info = await probe(at('long.mp4'), {}, by);
  const request = { path: at('long.mp4'), numbers: from(0, 600), size: [512, 512] as const, info };
  const killed = decodeFrames(request, {}, by).catch((error: unknown) => error);
  const pids = new Set<number>();
  while (pids.size < 3) {
    const child = childOf(by);
    if (child?.pid !== undefined && !pids.has(child.pid)) {
      pids.add(child.pid);
      child.kill('SIGKILL');
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  const error = (await killed) as Error & { code?: string };
  expect(error.message).toMatch(
    /long\.mp4: the decoder was ended 3 times while it read this file \(stopped by SIGKILL\)/,
  );
  expect(error.code).toBeUndefined();
});

test('a decoding process that crashes on a file loses that file alone', async () => {
  const decoder = new NodeAvDecoder();
  await decoder.version();
  const crashed = decoder.scan({ path: fixture('h264.mp4') }, {});
  const behind = decoder.scan({ path: fixture('h264.mp4') }, {});
  childOf(decoder)!.kill('SIGSEGV');
  await expect(crashed).rejects.toMatchObject({
    code: 'UNREADABLE_CLIP',
    message: expect.stringMatching(/the decoding process ended on it \(stopped by SIGSEGV\)$/) as string,
  });
  expect((await behind).codec).toBe('h264');
  await decoder.close();
});

describe('the FFmpeg program', () => {
  const program = (text: string): void => {
    writeFileSync(at('ffmpeg'), `#!/bin/sh\n${text}\n`);
    chmodSync(at('ffmpeg'), 0o755);
    process.env.MORPHMLP_FFMPEG = at('ffmpeg');
  };

  test('is started again if it is killed, in a process group of its own', async () => {
    program(
      `cut -d ' ' -f 5 /proc/$$/stat; [ -e ${at('second')} ] && exit 0; touch ${at('second')}; kill -INT $$; sleep 60`,
    );
    const { stdout } = await runProgram('ffmpeg', [], { subject: 'x.mp4' });
    expect(Number(stdout.toString())).toBeGreaterThan(1);
    expect(Number(stdout.toString())).not.toBe(stat(process.pid)!.group);
  });

  test.each([
    ['KILL', undefined, 'x.mp4: the decoder was ended 3 times while it read this file (ffmpeg was stopped by SIGKILL)'],
    ['TERM', undefined, 'x.mp4: the decoder was ended 3 times while it read this file (ffmpeg was stopped by SIGTERM)'],
    ['SEGV', 'UNREADABLE_CLIP', 'x.mp4: ffmpeg was stopped by SIGSEGV'],
  ])('that is ended by SIG%s each time: code %s', async (signal, code, message) => {
    program(`kill -${signal} $$; sleep 60`);
    const error = await runProgram('ffmpeg', [], { subject: 'x.mp4' }).catch(
      (e: unknown) => e as Error & { code?: string },
    );
    expect((error as Error).message).toContain(message);
    expect((error as { code?: string }).code).toBe(code);
  });
});

test('a decoder that hangs on a file ends with its parent, which is killed', async () => {
  execFileSync('mkfifo', [at('fifo.mp4')]); // opening it for reading never returns
  const built = path.join(__dirname, '..', '..', '..', 'dist', 'data', 'video', 'node_av_decoder.js');
  const script = `
    const { NodeAvDecoder } = require(${JSON.stringify(built)});
    const by = new NodeAvDecoder();
    by.version().then(() => {
      void by.scan({ path: ${JSON.stringify(at('fifo.mp4'))} }, {});
      setTimeout(() => console.log(by.child.pid), 200);
    });`;
  const parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = Number(await new Promise((resolve) => parent.stdout.once('data', (text) => resolve(String(text)))));
  expect(stat(pid)!.state).not.toBe('Z');
  parent.kill('SIGKILL');
  await until(() => (stat(pid)?.state ?? 'Z') === 'Z');
});

test('a time limit counts the time in which the process ran', async () => {
  const since = performance.now();
  let late = 0;
  const end = afterRunning(400, () => (late = performance.now() - since));
  const waited = performance.now();
  while (performance.now() - waited < 600); // as if stopped: longer than the limit
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(late).toBe(0);
  await until(() => late > 0);
  expect(late).toBeGreaterThan(900);
  end();
});
