import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { runCli } from '../support/run_cli';

const root = path.join(__dirname, '..', '..');
const docs = readdirSync(path.join(root, 'docs')).filter((name) => name.endsWith('.md'));
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'examples/README.md',
  'examples/browser/README.md',
  ...docs.map((name) => path.join('docs', name)),
];

/** The commands on a page, one per line: in code blocks and between backquotes. */
function commandsOf(page: string): string[] {
  const text = readFileSync(path.join(root, page), 'utf8').replaceAll('\\\n', ' ');
  const blocks = [...text.matchAll(/```[^\n`]*\n([\s\S]*?)```|`([^`]+)`|^ {4}(.+)$/gm)].map(([, ...found]) =>
    found.join(''),
  );
  return blocks.flatMap((block) => block.split(/\n|&&|;| \| /)).map((line) => line.replace(/^[\s$]+/, ''));
}

const helps = new Map<string, string>();
function helpOf(words: string): string {
  if (!helps.has(words)) helps.set(words, runCli([...words.split(' '), '--help']).out);
  return helps.get(words)!;
}

/** The command of a line: `bench kernels` for `bench kernels --op gelu`. */
function nameOf(rest: readonly string[]): string {
  const [first = '', second = ''] = rest;
  return /^Commands:/m.test(helpOf(first)) && /^[a-z]+$/.test(second) ? `${first} ${second}` : first;
}

describe.each(pages)('%s', (page) => {
  const commands = commandsOf(page);

  test('shows only existing options', () => {
    const ours = commands
      .filter((line) => /^(npx )?morphmlp [a-z]/.test(line))
      .map((line) => line.replace(/^npx /, ''));
    const unknown = ours.flatMap((line) => {
      const [, ...words] = line.split(/\s+#|\s+--\s/)[0]!.split(/\s+/);
      const name = nameOf(words);
      const help = helpOf(name);
      if (!help.startsWith(`Usage: morphmlp ${name}`)) return [line];
      const options = words.filter((word) => /^--[a-z]/.test(word)).map((word) => word.replace(/[^-a-z].*$/, ''));
      return options.filter((option) => !new RegExp(`${option}\\b`).test(help)).map((option) => `${option} of ${line}`);
    });
    expect(unknown).toEqual([]);
  });

  test('shows only existing npm scripts', () => {
    const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { scripts: object };
    const run = commands.flatMap((line) => /npm run (?:-s )?([\w:]+)/.exec(line)?.[1] ?? []);
    expect(run.filter((name) => !(name in scripts))).toEqual([]);
  });

  test('links only to existing files', () => {
    const text = readFileSync(path.join(root, page), 'utf8').replaceAll(/```[\s\S]*?```/g, '');
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => link!);
    expect(links.filter((link) => !existsSync(path.join(root, path.dirname(page), link)))).toEqual([]);
  });
});

test('the first pages show commands and scripts', () => {
  const commands = ['README.md', 'docs/commands.md'].flatMap(commandsOf);
  expect(commands.filter((line) => /^morphmlp (train|bench|study)/.test(line)).length).toBeGreaterThan(10);
  const scripts = ['README.md', 'CONTRIBUTING.md'].flatMap(commandsOf);
  expect(scripts.filter((line) => /^npm run/.test(line)).length).toBeGreaterThan(8);
});
