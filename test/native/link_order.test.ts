import { spawnSync } from 'node:child_process';
import { addonCandidates, loadAddon } from '../../src/addon_path';

// Where an inline function of the standard library is compiled for several instruction sets, the linker keeps one copy for all.
// That copy must not need AVX: the part of the addon that runs on every CPU calls it too.
const onX64 = process.arch === 'x64' ? describe : describe.skip;

function tool(name: string, ...args: string[]): string {
  const run = spawnSync(name, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(`${name} failed: ${run.error?.message ?? run.stderr}`);
  return run.stdout;
}

/** Names of the functions that several objects may define, out of the symbol table of the addon. */
function sharedFunctions(file: string): Set<string> {
  const weak = tool('nm', file).matchAll(/^[0-9a-f]+ [Ww] (\S+)$/gm);
  return new Set([...weak].map((found) => found[1] ?? ''));
}

/** The functions of a disassembly that use an AVX register or a VEX instruction. */
function avxFunctions(disassembly: string): string[] {
  const functions = disassembly.split(/^[0-9a-f]+ <(.*)>:$/m).slice(1);
  return functions.filter((_, i) => i % 2 === 0 && /%[yz]mm|\tv[a-z0-9]+ /.test(functions[i + 1] ?? ''));
}

onX64('the linked addon', () => {
  const { file } = loadAddon();

  test('is among the places that are searched', () => expect(addonCandidates()).toContain(file));

  test('has AVX code, and none of it in a function that all instruction sets share', () => {
    const avx = avxFunctions(tool('objdump', '-d', '--no-show-raw-insn', file));
    expect(avx.length).toBeGreaterThan(0);
    const shared = sharedFunctions(file);
    expect(shared.size).toBeGreaterThan(0);
    expect(avx.filter((name) => shared.has(name))).toEqual([]);
  });
});
