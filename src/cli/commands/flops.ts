import type { Command } from 'commander';
import { VARIANTS, type Variant } from '../../models/config';
import { countOps } from '../../models/flops';
import { table } from '../../terminal/format';
import { wholeNumber } from '../options';

/** Arguments of `morphmlp flops`. */
interface FlopsArguments {
  all?: boolean;
  ops?: boolean;
  json?: boolean;
  size?: number;
}

const millions = (n: number) => `${(n / 1e6).toFixed(2)}M`;
const giga = (n: number) => (n / 1e9).toFixed(n < 1e9 ? 3 : n < 2e10 ? 2 : 1);

function variantOf(name: string): Variant {
  const variant = VARIANTS[name];
  if (!variant) throw new Error(`model '${name}' is not one of ${Object.keys(VARIANTS).join(', ')}`);
  return variant;
}

function countsOf(name: string, given: number | undefined): ReturnType<typeof countOps> & { size: number } {
  const { config, crop } = variantOf(name);
  const size = given ?? crop;
  return { size, ...countOps(config, { height: size, width: size }) };
}

function variantRow(name: string, given: number | undefined): string[] {
  const { config, paper } = variantOf(name);
  const { params, macs, size } = countsOf(name, given);
  const input = config.kind === 'video' ? `${config.frames} x ${size} x ${size}` : `${size} x ${size}`;
  return [
    name,
    input,
    millions(params),
    giga(macs),
    paper?.params ? `${paper.params}M` : '',
    paper ? String(paper.gmacs) : 'ours',
  ];
}

function opRows(name: string, size: number | undefined): string[][] {
  const { ops } = countsOf(name, size);
  return ops.map((op) => [op.name, op.kind, `${op.rows} x ${op.in} -> ${op.out}`, millions(op.params), giga(op.macs)]);
}

function flops(model: string | undefined, { all, ops, json, size }: FlopsArguments): void {
  if (all && model) throw new Error(`expected one model or --all, got ${model} and --all`);
  const names = all || !model ? Object.keys(VARIANTS) : [model];
  if (json) {
    const counts = names.map((name) => ({ model: name, ...countsOf(name, size) }));
    const short = counts.map(({ model, size, params, macs }) => ({ model, size, params, macs }));
    return console.log(JSON.stringify(ops ? counts : short, null, 1));
  }
  console.log(
    table(
      names.map((name) => variantRow(name, size)),
      { head: ['model', 'input', 'parameters', 'GMACs a view', 'paper', 'paper GMACs'] },
    ),
  );
  if (ops)
    for (const name of names)
      console.log(
        `\n${name}\n${table(opRows(name, size), { head: ['op', 'kind', 'rows x in -> out', 'parameters', 'GMACs'] })}`,
      );
}

/** Adds `morphmlp flops`. */
export function registerFlops(program: Command): void {
  program
    .command('flops')
    .description("count parameters and multiply-adds, with the paper's figures")
    .argument('[model]', Object.keys(VARIANTS).join(', '))
    .option('--all', 'all models (default without a name)')
    .option('--ops', 'one line per FC and convolution')
    .option('--size <pixels>', "height and width of the input (default: the model's)", wholeNumber(32))
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExamples:\n  morphmlp flops --all\n  morphmlp flops video-s --ops')
    .action(flops);
}
