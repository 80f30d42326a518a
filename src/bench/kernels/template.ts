/** Templates for new kernels: starters with instructions at the top. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { PLUGGABLE, type PluggableOp } from '../../core/plugins';
import { buildCommand, formatCommand, type Language } from './build_kernel';

const STARTERS = path.join(__dirname, '..', '..', '..', 'native', 'baselines', 'starter');

const EXTENSIONS: Record<Language, string> = { 'c++': '.cc', c: '.c', rust: '.rs', cuda: '.cu', asm: '.S' };

/** The starter of an op in a language; a CUDA kernel has the source of the C++ one. */
const starterFile = (op: PluggableOp, language: Language): string =>
  path.join(STARTERS, `${op}${language === 'cuda' ? '.cc' : EXTENSIONS[language]}`);

/** The source that a new kernel of an op starts from. @throws if there is none in the language, naming those that there are */
function start(op: PluggableOp, language: Language): string {
  const file = starterFile(op, language);
  if (existsSync(file)) return readFileSync(file, 'utf8');
  const ops = PLUGGABLE.filter((one) => existsSync(starterFile(one, language)));
  throw new Error(`there is no starter for ${op} in ${language}, only for ${ops.join(', ')}; --lang c++ has all ops`);
}

/** What the author of a kernel has to know about its source. */
function aboutText(source: string, language: Language): string {
  if (language !== 'c++' && language !== 'cuda') return 'It is correct and leaves room to improve.';
  return source.includes('morphmlp_gemm.h')
    ? 'Its matrix products are blocked (morphmlp_gemm.h); `morphmlp kernel tune` chooses the sizes of the blocks.'
    : 'It computes a row or an element at a time, in loops that vectorize.';
}

/** The op whose name is a suffix of the kernel's name, or undefined. */
export const opOfName = (name: string): PluggableOp | undefined =>
  [...PLUGGABLE].sort((a, b) => b.length - a.length).find((op) => name.endsWith(op));

/** The file name of a kernel's source. */
export const templateFile = (name: string, language: Language): string => `${name}${EXTENSIONS[language]}`;

/** The source of a working kernel that leaves room to improve. */
export function template(name: string, op: PluggableOp, language: Language): string {
  const source = start(op, language);
  const file = templateFile(name, language);
  const compiled = formatCommand(buildCommand(file, { include: '$(morphmlp kernel include)' }));
  const head = `${name}: a kernel for ${op}. ${aboutText(source, language)}

  morphmlp kernel build ${file}
  morphmlp kernel check ./${name}.so                  verifies it against float64
  morphmlp bench kernels --plugin ./${name}.so        compares it with ours
  morphmlp kernel watch ${file}                        all three whenever it is saved

The first runs ${compiled}

morphmlp_kernel.h documents the inputs and outputs. A forward or backward that does not support some shapes
returns MORPHMLP_UNSUPPORTED, with the reason in call->message; a kernel without a backward is for inference only.`;
  const comment =
    language === 'c' || language === 'asm'
      ? `/* ${head.replaceAll('\n', '\n * ').replaceAll(' * \n', ' *\n')} */\n\n`
      : `${head
          .split('\n')
          .map((line) => `// ${line}`.trimEnd())
          .join('\n')}\n\n`;
  return comment + source.replace('"starter"', `"${name}"`);
}
