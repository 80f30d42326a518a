/** The runner of ./run quick, with steps that pass, fail, hang, do not start and leave processes behind. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

interface Step {
  name: string;
  limit: number;
  commands: { command: string[]; env?: Record<string, string>; limit?: number }[];
  skip?: string | undefined;
  background?: boolean;
  after?: string;
  parallel?: number;
  show?: (text: string) => string[];
}
interface Runner {
  run(steps: Step[]): Promise<boolean>;
}
const runnerFile = path.join(__dirname, '..', '..', 'tools', 'bundle', 'timed_steps.cjs');
const { TimedSteps } = jest.requireActual<{ TimedSteps: new (options: object) => Runner }>(runnerFile);
const { stepsOf, smokeLines } = jest.requireActual<{
  stepsOf: (context: object) => Step[];
  smokeLines: (text: string) => string[];
}>('../../tools/bundle/quick.cjs');

const machine = jest.requireActual<{ cuda: () => { status: string } }>('../../tools/bundle/machine.cjs');

let folder: string;
const at = (name: string) => path.join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'timed-steps-'));
  mkdirSync(at('work'));
  mkdirSync(at('out'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const sh = (script: string) => ({ command: ['sh', '-c', script] });
const step = (name: string, script: string, more: Partial<Step> = {}): Step => ({
  ...{ name, limit: 60, commands: [sh(script)] },
  ...more,
});
const summary = () => readFileSync(at('out/summary.txt'), 'utf8');

/** Status by name, from the summary's rows. */
function statuses(): Record<string, string> {
  const rows = [...summary().matchAll(/^(\w+) +(passed|failed|timed out|no time|skipped|running) +[\d.]+ s of/gm)];
  return Object.fromEntries(rows.map(([, name, status]) => [name, status]));
}

async function run(steps: Step[], budget = 60): Promise<boolean> {
  const options = { work: at('work'), out: at('out'), budget, cwd: folder, head: 'a head' };
  return new TimedSteps(options).run(steps);
}

const FAULTS: [string, Partial<Step>, string, RegExp][] = [
  ['fails', { commands: [sh('echo a reason; exit 3')] }, 'failed', /exit 3: [^]*\n +a reason\n/],
  ['hangs', { commands: [sh('echo so far; sleep 600')], limit: 0.5 }, 'timed out', /timed out: -c[^]*\n +so far\n/],
  ['does not start', { commands: [{ command: ['/no/such/program'] }] }, 'failed', /spawn \/no\/such\/program ENOENT/],
  ['crashes', { commands: [sh('kill -SEGV $$')] }, 'failed', /ended by SIGSEGV/],
];
const names = ['one', 'two', 'three'];

describe.each(FAULTS)('a step that %s', (_, fault, status, shown) => {
  test.each(names)('as step %s leaves the others as they are', async (at) => {
    const passed = await run(names.map((name) => step(name, `echo ${name}`, name === at ? fault : {})));
    expect(passed).toBe(false);
    expect(statuses()).toEqual(Object.fromEntries(names.map((name) => [name, name === at ? status : 'passed'])));
    expect(summary()).toMatch(shown);
    expect(summary()).toMatch(status === 'failed' ? /2 passed, 1 failed, 0 timed/ : /2 passed, 0 failed, 1 timed/);
    expect(summary()).not.toContain('not complete');
  });
});

test('all pass: three files, the log of each step in the archive, variables of a command in its environment', async () => {
  const env = { commands: [{ ...sh('echo value $GIVEN'), env: { GIVEN: 'seven' } }] };
  expect(await run([step('one', ''), step('two', '', env)])).toBe(true);
  expect(readdirSync(at('out')).sort()).toEqual(['quick.json', 'results.tar.gz', 'summary.txt']);
  expect(summary()).toMatch(/^a head\n/);
  expect(spawnSync('tar', ['xzf', at('out/results.tar.gz'), '-C', at('out')]).status).toBe(0);
  expect(readFileSync(at('out/two.log'), 'utf8')).toContain('\nvalue seven\n');
  const { complete, steps } = JSON.parse(readFileSync(at('out/quick.json'), 'utf8')) as {
    complete: boolean;
    steps: { name: string; status: string; ran: { exit: number }[] }[];
  };
  expect(complete).toBe(true);
  expect(steps.map(({ name, status, ran }) => [name, status, ran[0]!.exit])).toEqual([
    ['one', 'passed', 0],
    ['two', 'passed', 0],
  ]);
});

test('a step finds what those before it wrote already packed', async () => {
  const look = `tar tzf ${at('out/results.tar.gz')} | grep -q one.log && grep -q '^one  *passed' ${at('out/summary.txt')}`;
  expect(await run([step('one', 'true'), step('two', look)])).toBe(true);
});

test('a runner that is killed leaves the results of the steps before', async () => {
  const script = `const { TimedSteps } = require(${JSON.stringify(runnerFile)});
    const sh = (script) => [{ command: ['sh', '-c', script] }];
    const steps = [{ name: 'one', limit: 9, commands: sh('echo done') }, { name: 'two', limit: 600, commands: sh('touch ${at('there')}; sleep 20') }];
    new TimedSteps({ work: '${at('work')}', out: '${at('out')}', budget: 900, cwd: '/', head: 'a head' }).run(steps);`;
  const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
  while (!existsSync(at('there'))) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGKILL');
  await new Promise((resolve) => child.on('close', resolve));
  expect(statuses()).toEqual({ one: 'passed' });
  expect(summary()).toContain('not complete');
  expect(spawnSync('tar', ['tzf', at('out/results.tar.gz')], { encoding: 'utf8' }).stdout).toContain('one.log');
});

test('what a command leaves running ends with it, also where it hangs', async () => {
  const leave = `(sleep 600; true) & echo $! > ${folder}/pid`;
  for (const [script, limit] of [
    [leave, 60],
    [`${leave}; sleep 600`, 1],
  ] as const) {
    await run([step('one', script, { limit })]);
    const pid = Number(readFileSync(at('pid'), 'utf8'));
    // Until init has reaped it, the process is a zombie.
    const state = spawnSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim();
    expect(['', 'Z']).toContain(state);
  }
});

test('when the budget is spent, the rest is not started and the run has failed', async () => {
  expect(await run([step('one', 'sleep 600'), step('two', `touch ${at('work/two')}`)], 1.5)).toBe(false);
  expect(statuses()).toEqual({ one: 'timed out', two: 'no time' });
  expect(summary()).toContain('no time was left');
  expect(existsSync(at('work/two'))).toBe(false);
});

test('a background step does not hold up others, except those that come after it', async () => {
  const mark = (name: string) => `echo ${name} >> ${at('work/order')}`;
  const warm = step('warm', `while [ ! -e ${at('work/go')} ]; do sleep 0.02; done; ${mark('warm')}`, {
    background: true,
  });
  const rest = [
    step('beside', `${mark('beside')}; touch ${at('work/go')}`),
    step('behind', mark('behind'), { after: 'warm' }),
  ];
  expect(await run([warm, ...rest])).toBe(true);
  expect(readFileSync(at('work/order'), 'utf8')).toBe('beside\nwarm\nbehind\n');
});

test('a background step that hangs ends at its limit, or with the run', async () => {
  const warm = step('warm', 'sleep 600', { background: true, limit: 0.5 });
  expect(await run([warm, step('behind', 'true', { after: 'warm' })])).toBe(false);
  expect(statuses()).toEqual({ warm: 'timed out', behind: 'passed' });
  await run([{ ...warm, limit: 600 }, step('beside', 'true')]);
  expect(statuses()).toEqual({ warm: 'failed', beside: 'passed' });
});

test('commands of a step have limits of their own, and run at the same time where asked', async () => {
  const meet = (own: string, other: string) => sh(`touch ${at(own)}; while [ ! -e ${at(other)} ]; do sleep 0.02; done`);
  const hang = { ...sh('sleep 600'), limit: 0.3 };
  await run([
    step('both', '', { parallel: 2, commands: [meet('a', 'b'), meet('b', 'a')] }),
    step('one', '', { commands: [hang, sh('exit 1'), sh(`touch ${at('work/last')}`)] }),
  ]);
  expect(statuses()).toEqual({ both: 'passed', one: 'failed' });
  expect(existsSync(at('work/last'))).toBe(true);
});

test('a step that cannot run is skipped with its reason, and a log that cannot be read is no failure', async () => {
  const show = () => {
    throw new Error('not JSON');
  };
  expect(await run([step('one', 'true', { skip: 'needs a GPU' }), step('two', 'true', { show })])).toBe(true);
  expect(statuses()).toEqual({ one: 'skipped', two: 'passed' });
  expect(summary()).toMatch(/needs a GPU[^]*its log could not be read: not JSON/);
});

test('a folder of results that is a file is an error', async () => {
  rmSync(at('work'), { recursive: true });
  writeFileSync(at('work'), ''); // not a folder
  await expect(run([step('one', 'true')])).rejects.toThrow('ENOTDIR');
});

test('lines of the smoke test: what is not ok, with its figures', () => {
  const line = (name: string, status: string, error: number | null) =>
    JSON.stringify({ case: name, status, error, limit: 0.1, note: status === 'ok' ? '' : 'y' });
  const text = `$ smoke\n${line('a', 'ok', 0)}\n${line('b', 'wrong', 0.5)}\n${line('c', 'hang', null)}\n`;
  expect(smokeLines(text)).toEqual([
    '1 of 3 cases ok',
    'b: wrong, error 0.5, limit 0.1 y',
    'c: hang, error null, limit 0.1 y',
  ]);
});

describe('the steps of ./run quick', () => {
  const context = (device: string, scale: string, torch: string | null) => ({
    device,
    scale,
    torch,
    work: '/there',
    extra: [],
  });
  const ran = (steps: Step[]) => steps.filter(({ skip }) => skip === undefined).map(({ name }) => name);

  test('come in the order of their worth, and those that need a GPU or PyTorch say so', () => {
    const all = stepsOf(context('cuda', 'full', '2.9'));
    expect(all.map(({ name }) => name)).toEqual([
      ...['warm', 'smoke', 'memcheck', 'ctypes', 'verify', 'tests'],
      ...['mma', 'wgmma', 'graph', 'graph_wgmma', 'torch_graph', 'profile', 'ncu'],
    ]);
    expect(ran(stepsOf(context('cpu', 'small', null)))).toEqual(['verify', 'tests', 'mma', 'profile']);
    expect(ran(stepsOf(context('cuda', 'none', null))).filter((name) => name !== 'smoke')).toEqual(['verify', 'tests']);
    for (const { name, skip } of stepsOf(context('cpu', 'small', null)))
      expect([name, skip ?? 'runs']).toEqual([name, expect.stringMatching(/^(runs|needs|\w+ has no PyTorch)/)]);
  });

  test('have commands that the program understands', () => {
    const all = stepsOf(context('cuda', 'full', '2.9')).flatMap(({ commands }) =>
      commands.map(({ command }) => command),
    );
    const ours = all.filter(([program, file]) => program === process.execPath && file!.endsWith('morphmlp.js'));
    expect(ours.length).toBeGreaterThan(6);
    // Without a GPU each gets as far as asking for it. Where there is one, they would take minutes.
    if (machine.cuda().status === 'available') return;
    for (const command of ours) {
      const { stderr } = spawnSync(command[0]!, command.slice(1), { encoding: 'utf8' });
      expect([command.slice(2).join(' '), stderr]).toEqual([
        command.slice(2).join(' '),
        expect.stringMatching(/no CUDA device/),
      ]);
    }
  });

  test.each(FAULTS)('report each step that %s', async (_, fault, status) => {
    const steps = stepsOf(context('cuda', 'full', '2.9')).map((one) => ({ ...one, skip: undefined, limit: 60 }));
    const faulty = steps.map((one, i) => (i % 2 ? step(one.name, '', fault) : { ...one, ...step(one.name, 'true') }));
    expect(await run(faulty)).toBe(false);
    expect(statuses()).toEqual(Object.fromEntries(steps.map(({ name }, i) => [name, i % 2 ? status : 'passed'])));
    expect(readdirSync(at('out'))).toHaveLength(3);
  });

  test('each test file runs in a process of its own, without those of the emulation', () => {
    const { commands } = stepsOf(context('cuda', 'full', null)).find(({ name }) => name === 'tests')!;
    const files = commands.map(({ command }) => command.at(-1)!);
    expect(files).toEqual(
      expect.arrayContaining([expect.stringMatching(/^test\/ops\/gelu/), expect.stringMatching(/^test\/cuda\/wgmma/)]),
    );
    expect(files.filter((file) => /cuda\/(mma|smoke)/.test(file))).toEqual([]);
    expect(new Set(files).size).toBe(files.length);
  });
});
