/** `data check` and `prepare`, shared out among ranks, find and write what one process does. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { findLaunchers, runRanks } from '../support/run_ranks';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-shared-'));
afterAll(() => rmSync(folder, { recursive: true }));

const launchers = findLaunchers();
if (launchers.length === 0) test('NOT RUN: no mpirun of Open MPI or MPICH is installed', () => undefined);

/** Pictures of two classes: some cannot be read, two are equal, and two are equal in different classes. */
async function pictures(name: string, count: number): Promise<string> {
  const root = path.join(folder, name);
  for (const shade of ['dark', 'light'])
    for (let i = 0; i < count; i++) {
      mkdirSync(path.join(root, shade), { recursive: true });
      const g = i === 0 ? 100 : shade === 'dark' ? 20 : 220;
      const background = { r: Math.max(i, 2) * 9, g, b: 90 };
      const picture = sharp({ create: { width: 40 + (i % 3), height: 36, channels: 3, background } });
      await picture.png().toFile(path.join(root, shade, `${i}.png`));
      if (i % 5 === 3) writeFileSync(path.join(root, shade, `${i}.png`), 'not a picture');
    }
  return root;
}

/** Lines of a report, without progress and what an MPI adds: of standard output, then of standard error, which a launcher interleaves. */
const linesOf = (out: string): string[] =>
  [/^([{]|sizes|on disk|.* files in \d+ class)/, /^(warning|error|note)/].flatMap((stream) =>
    out.split('\n').filter((line) => stream.test(line)),
  );

if (launchers.length > 0) {
  let train: string;
  let val: string;

  beforeAll(async () => {
    train = await pictures('train', 9);
    val = await pictures('val', 3);
  });

  describe.each(launchers.map((launcher) => [launcher.name, launcher] as const))('under %s', (_, launcher) => {
    test.each([[[]], [['--json']]])('data check %j prints once what one process prints', async (more) => {
      const args = ['data', 'check', train, '--val', val, '--model', 'image-t', '--workers', '2', ...more];
      const alone = await runRanks(null, 1, args);
      expect(alone.status).toBe(1); // equal content in two classes
      expect(linesOf(alone.out).length).toBeGreaterThan(more.length > 0 ? 0 : 8);
      for (const ranks of [2, 3]) {
        const job = await runRanks(launcher, ranks, args);
        expect(job.status).toBe(1);
        expect(linesOf(job.out)).toEqual(linesOf(alone.out));
      }
    });

    test('prepare writes the bytes that one process writes, also where it goes on', async () => {
      const into = (name: string) => path.join(folder, `${name} ${launcher.name}`);
      const args = (out: string) => [
        'prepare',
        train,
        out,
        '--short-side',
        '24',
        '--shard-size',
        '2k',
        '--workers',
        '2',
      ];
      const contents = (out: string) =>
        Object.fromEntries(readdirSync(out).map((name) => [name, readFileSync(path.join(out, name), 'base64')]));
      const alone = await runRanks(null, 1, args(into('alone')));
      expect(alone).toMatchObject({ status: 0 });
      const shared = await runRanks(launcher, 3, args(into('shared')));
      expect(shared).toMatchObject({ status: 0 });
      expect(shared.out.match(/14 clips in/g)).toHaveLength(1);
      expect(Object.keys(contents(into('alone'))).length).toBeGreaterThan(2);
      expect(contents(into('shared'))).toEqual(contents(into('alone')));
      const index = path.join(into('shared'), 'index.jsonl');
      writeFileSync(index, readFileSync(index, 'utf8').split('\n').slice(0, 7).join('\n') + '\n');
      expect(await runRanks(launcher, 2, args(into('shared')))).toMatchObject({ status: 0 });
      expect(contents(into('shared'))).toEqual(contents(into('alone')));
    });

    test('a list that is missing is one error', async () => {
      const job = await runRanks(launcher, 2, ['data', 'check', path.join(folder, 'none.csv')]);
      expect(job.status).not.toBe(0);
      expect(job.out.match(/^morphmlp: /gm)).toHaveLength(1);
    });
  });
}
