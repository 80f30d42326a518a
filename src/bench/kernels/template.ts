/** Templates for new kernels: starters with instructions at the top. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { PLUGGABLE, type PluggableOp } from '../../core/plugins';
import { buildCommand, formatCommand, type Language } from './build_kernel';

const STARTERS = path.join(__dirname, '..', '..', '..', 'native', 'baselines', 'starter');

/** The source that a new kernel of an op starts from, and what its author has to know. */
function start(op: PluggableOp): { source: string; about: string } {
  const source = readFileSync(path.join(STARTERS, `${op}.cc`), 'utf8').replace('"starter"', '"naive"');
  const about = source.includes('morphmlp_gemm.h')
    ? 'Its matrix products are blocked (morphmlp_gemm.h); `morphmlp kernel tune` chooses the sizes of the blocks.'
    : 'It computes a row or an element at a time, in loops that vectorize.';
  return { source, about };
}

/** The op whose name is a suffix of the kernel's name, or undefined. */
export const opOfName = (name: string): PluggableOp | undefined =>
  [...PLUGGABLE].sort((a, b) => b.length - a.length).find((op) => name.endsWith(op));

const EXTENSIONS: Record<Language, string> = { 'c++': '.cc', cuda: '.cu' };

/** The file name of a kernel's source. */
export const templateFile = (name: string, language: Language): string => `${name}${EXTENSIONS[language]}`;

/** The source of a working kernel that leaves room to improve. */
export function template(name: string, op: PluggableOp, language: Language): string {
  const { source, about } = start(op);
  const file = templateFile(name, language);
  const head = `// ${name}: a kernel for ${op}. ${about}
//
//   morphmlp kernel build ${file}
//   morphmlp kernel check ./${name}.so                  verifies it against float64
//   morphmlp bench kernels --plugin ./${name}.so        compares it with ours
//   morphmlp train --plugin ./${name}.so ...            trains with it
//
// The first runs ${formatCommand(buildCommand(file, { include: '$(morphmlp kernel include)' }))}
//
// morphmlp_kernel.h documents the inputs and outputs. A forward or backward that does not support some shapes
// returns morphmlp_say(call, MORPHMLP_UNSUPPORTED, "why"); a kernel with a backward of nullptr is for inference only.

`;
  return head + source.replace('"naive"', `"${name}"`);
}
