import { spawnSync } from 'node:child_process';
import { addonCandidates, loadAddon } from '../../src/core/addon_path';

// Kernels are compiled once per instruction set. Of an inline function outside of their namespaces, for example of the standard
// library, the linker keeps one copy, which must run on every CPU. So must the initialisation of the addon.
const onX64 = process.arch === 'x64' ? describe : describe.skip;

function tool(name: string, ...args: string[]): string {
  const run = spawnSync(name, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(`${name} failed: ${run.error?.message ?? run.stderr}`);
  return run.stdout;
}

/** The functions of a disassembly that use an AVX register or a VEX instruction. */
function avxFunctions(disassembly: string): string[] {
  const functions = disassembly.split(/^[0-9a-f]+ <(.*)>:$/m).slice(1);
  return functions.filter((_, i) => i % 2 === 0 && /%[yz]mm|\tv[a-z0-9]+ /.test(functions[i + 1] ?? ''));
}

onX64('the linked addon', () => {
  const { file } = loadAddon();

  test('is one of the candidate paths', () => expect(addonCandidates()).toContain(file));

  test('has AVX code in the namespaces of its instruction sets and nowhere else', () => {
    const avx = avxFunctions(tool('objdump', '-d', '--no-show-raw-insn', file));
    const named = (isa: string) => avx.filter((name) => name.includes(`${isa.length}${isa}`));
    expect(named('avx2').length).toBeGreaterThan(0);
    expect(named('avx512').length).toBeGreaterThan(0);
    expect(named('avx512bf16').length).toBeGreaterThan(0);
    const elsewhere = avx.filter((name) => !/4avx2|6avx512|10avx512bf16/.test(name));
    expect(elsewhere).toEqual([]);
  });
});
