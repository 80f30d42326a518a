import { spawnSync } from 'node:child_process';
import { addonCandidates, loadAddon } from '../../src/core/addon_path';

// Kernels are compiled once per instruction set. Of an inline function outside of their namespaces, for example of the standard
// library, the linker keeps one copy, which must run on every CPU. So must the initialisation of the addon.

/** What marks a function as compiled for more than the baseline: an AVX register or a VEX instruction; bf16 or an atomic of Armv8.1. */
const NEWER: Readonly<Record<string, { sets: string[]; code: RegExp }>> = {
  x64: { sets: ['avx2', 'avx512', 'avx512bf16'], code: /%[yz]mm|\tv[a-z0-9]+ / },
  arm64: { sets: ['neonbf16'], code: /\t(?:bf(?:dot|cvt)\w*|cas[abhlp]*|swp[abhl]*|ld(?:add|clr|eor|set)[abhl]*)\t/ },
};
/** Functions of libgcc that ask for the atomics before they use them. */
const CHOOSES_ATOMICS = /^__aarch64_/;

function tool(name: string, ...args: string[]): string {
  const run = spawnSync(name, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(`${name} failed: ${run.error?.message ?? run.stderr}`);
  return run.stdout;
}

/** The functions of a disassembly that use code of this kind. */
function functionsWith(code: RegExp, disassembly: string): string[] {
  const functions = disassembly.split(/^[0-9a-f]+ <(.*)>:$/m).slice(1);
  return functions.filter((_, i) => i % 2 === 0 && code.test(functions[i + 1] ?? ''));
}

describe('the linked addon', () => {
  const { file } = loadAddon();

  test('is one of the candidate paths', () => expect(addonCandidates()).toContain(file));

  test('has newer code in the namespaces of its instruction sets and nowhere else', () => {
    const { sets, code } = NEWER[process.arch]!;
    const found = functionsWith(code, tool(process.env.OBJDUMP ?? 'objdump', '-d', '--no-show-raw-insn', file));
    const isIn = (name: string, isa: string) => name.includes(`${isa.length}${isa}`);
    for (const isa of sets) expect(found.filter((name) => isIn(name, isa)).length).toBeGreaterThan(0);
    const elsewhere = found.filter((name) => !sets.some((isa) => isIn(name, isa)) && !CHOOSES_ATOMICS.test(name));
    expect(elsewhere).toEqual([]);
  });
});
