import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const root = path.join(__dirname, '..', '..');
const tree = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-add-op-'));
afterAll(() => rmSync(tree, { recursive: true, force: true }));

const page = readFileSync(path.join(root, 'CONTRIBUTING.md'), 'utf8').split('## Add an op')[1]!;

/** The blocks that have a file's name beside their language, without the list's indent. */
const blocks = [...page.matchAll(/^( *)```\w+ (\S+)\n([\s\S]*?)^\1```$/gm)].map(([, indent, file, text]) => ({
  file: file!,
  text: text!.replace(new RegExp(`^${indent}`, 'gm'), ''),
}));

/** Everything that git tracks or would, and the packages. */
function copyTree(): void {
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const files = execFileSync('git', list, { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
  for (const file of files) if (existsSync(path.join(root, file))) cpSync(path.join(root, file), path.join(tree, file));
  symlinkSync(path.join(root, 'node_modules'), path.join(tree, 'node_modules'));
}

/** Writes a new file, or puts what follows a block's first line after that line of a file that exists. */
function follow({ file, text }: { file: string; text: string }): void {
  const place = path.join(tree, file);
  if (!existsSync(place)) return writeFileSync(place, text);
  const first = text.slice(0, text.indexOf('\n') + 1);
  const before = readFileSync(place, 'utf8');
  expect(before.split(first)).toHaveLength(2);
  writeFileSync(
    place,
    before.replace(first, () => text),
  );
}

function run(command: string, ...args: string[]): void {
  const env = { ...process.env, MORPHMLP_SUITE: 'fast', MORPHMLP_ADDON: '' };
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: tree, encoding: 'utf8', env });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}:\n${stdout}\n${stderr}`);
}

test("CONTRIBUTING's list adds an op that builds, passes its test and the checks", () => {
  expect(blocks).toHaveLength(8);
  copyTree();
  const created = blocks.filter(({ file }) => !existsSync(path.join(tree, file)));
  expect(created).toHaveLength(6);
  blocks.forEach(follow);
  run('node', 'tools/build/generate_kernels.cjs');
  run('npm', 'run', 'build:ts'); // examples are checked against the built declarations
  run('npm', 'run', 'check:types');
  run('npx', 'eslint', ...created.map(({ file }) => file).filter((file) => file.endsWith('.ts')));
  run('npm', 'run', 'build:native', '--', '--CDMORPHMLP_BASELINE_ONLY=ON');
  run('npx', 'jest', 'test/ops/square.test.ts', 'test/core/kernels.test.ts');
});
