/** Tensors and threads beyond the address space limit throw an error, and the process continues. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const PIECE = 64 * 2 ** 20;
const child = path.join(__dirname, 'address_space_child.cjs');

/** Runs Node under `ulimit -v`, which also counts the stacks of threads. */
function run(limitKib: number | 'unlimited', threads: number, ...args: string[]) {
  const shell = ['-c', `ulimit -v ${limitKib} && exec "$@"`, 'sh', process.execPath, ...args];
  const env = { ...process.env, MORPHMLP_THREADS: String(threads) };
  return spawnSync('sh', shell, { encoding: 'utf8', env, timeout: 30_000 });
}

/** Address space of Node itself in KiB, which differs by version. */
function mappedByNode(): number {
  const read = "console.log(/^VmSize:\\s+(\\d+) kB/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1])";
  return Number(run('unlimited', 1, '-e', read).stdout);
}

/** Output of a scenario with 1 GiB beyond the address space of Node. */
function limited(scenario: string, threads: number): Record<string, unknown> {
  const { status, signal, stdout, stderr } = run(mappedByNode() + 2 ** 20, threads, child, scenario);
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  return JSON.parse(stdout) as Record<string, unknown>;
}

// Other systems do not enforce the limit, and sanitizers map terabytes.
const onLinux = process.platform === 'linux' && !process.env.MORPHMLP_SANITIZED ? test : test.skip;

onLinux('an allocation that fails reports requested and live bytes, and freed memory can be allocated again', () => {
  const { message, held, left, again } = limited('tensors', 2);
  expect(held).toBeGreaterThan(PIECE);
  expect((held as number) % PIECE).toBe(0);
  const sentence = `out of memory: ${PIECE} bytes requested, ${held as number} bytes of tensors are live`;
  expect(message).toBe(`bufferNew: ${sentence}`);
  expect({ left, again }).toEqual({ left: 0, again: 2 });
});

onLinux('a thread that the system does not start is an error, and fewer threads work', () => {
  const { messages, again, threads } = limited('threads', 256);
  const sentence = /^\w+: threads: the system started \d+ of 256 \(.+\); MORPHMLP_THREADS sets a smaller number$/;
  expect(messages).toEqual([expect.stringMatching(sentence), expect.stringMatching(sentence)]);
  expect({ again, threads }).toEqual({ again: 2, threads: 2 });
});

test.each(['0', '257', 'two', '2x'])('MORPHMLP_THREADS=%s is an error', (wanted) => {
  const env = { ...process.env, MORPHMLP_THREADS: wanted };
  const code = `require(${JSON.stringify(path.join(__dirname, '..', '..', 'dist'))}).threads()`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', code], { encoding: 'utf8', env });
  expect(stderr).toContain(`Error: threads: MORPHMLP_THREADS: expected 1 to 256, got '${wanted}'\n`);
  expect(status).toBe(1);
});
