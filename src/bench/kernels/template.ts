/** Sources of kernels to start from: the naive ones, which are right, with how to go on at the top. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { PLUGGABLE, type PluggableOp } from '../../core/plugins';
import { buildCommand, shown, type Language } from './build_kernel';

const NAIVE = path.join(__dirname, '..', '..', '..', 'native', 'baselines', 'naive');

/** The op that a kernel's name ends in; undefined where it ends in none. */
export const opOfName = (name: string): PluggableOp | undefined => PLUGGABLE.find((op) => name.endsWith(op));

const EXTENSIONS: Record<Language, string> = { 'c++': '.cc', cuda: '.cu' };

/** The name of a kernel's file. */
export const templateFile = (name: string, language: Language): string => `${name}${EXTENSIONS[language]}`;

/** The source of a kernel that works, to be made fast. */
export function template(name: string, op: PluggableOp, language: Language): string {
  const source = readFileSync(path.join(NAIVE, `${op}.cc`), 'utf8');
  const file = templateFile(name, language);
  const head = `// ${name}: a kernel for ${op}. It computes one number after the other and is right; make it fast.
//
//   morphmlp kernel build ${file}
//   morphmlp kernel check ./${name}.so                  holds it to float64
//   morphmlp bench kernels --plugin ./${name}.so        ranks it beside ours
//   morphmlp train --plugin ./${name}.so ...            trains with it
//
// The first runs ${shown(buildCommand(file, { include: '$(morphmlp kernel include)' }))}
//
// What the kernel is given and has to write stands in morphmlp_kernel.h. A forward or backward that is not made for some
// shapes returns morphmlp_say(call, MORPHMLP_UNSUPPORTED, "why"); a backward of nullptr is a kernel for inference alone.

`;
  return head + source.replace('"naive"', `"${name}"`);
}
