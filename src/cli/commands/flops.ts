import type { Command } from 'commander';
import { QUICKSTART, VARIANTS, type MorphMlpConfig } from '../../models/config';
import { countOps } from '../../models/flops';
import { table } from '../../terminal/format';
import { wholeNumber } from '../options';

/** Arguments of `morphmlp flops`. */
interface FlopsArguments {
  all?: boolean;
  ops?: boolean;
  json?: boolean;
  size: number;
}

const millions = (n: number) => `${(n / 1e6).toFixed(2)}M`;
const giga = (n: number) => (n / 1e9).toFixed(n < 1e9 ? 3 : n < 2e10 ? 2 : 1);

function configOf(name: string): MorphMlpConfig {
  const config = name === 'quickstart' ? QUICKSTART : VARIANTS[name]?.config;
  if (!config) throw new Error(`model '${name}' is not one of quickstart, ${Object.keys(VARIANTS).join(', ')}`);
  return config;
}

function variantRow(name: string, size: number): string[] {
  const config = configOf(name);
  const { params, macs } = countOps(config, { height: size, width: size });
  const paper = VARIANTS[name]?.paper;
  const input = config.kind === 'video' ? `${config.frames} x ${size} x ${size}` : `${size} x ${size}`;
  return [
    name,
    input,
    millions(params),
    giga(macs),
    paper?.params ? `${paper.params}M` : '',
    paper ? String(paper.gmacs) : '',
  ];
}

function opRows(name: string, size: number): string[][] {
  const { ops } = countOps(configOf(name), { height: size, width: size });
  return ops.map((op) => [op.name, op.kind, `${op.rows} x ${op.in} -> ${op.out}`, millions(op.params), giga(op.macs)]);
}

function flops(model: string | undefined, { all, ops, json, size }: FlopsArguments): void {
  if (all && model) throw new Error(`expected one model or --all, got ${model} and --all`);
  const names = all || !model ? Object.keys(VARIANTS) : [model];
  if (json) {
    const counts = names.map((name) => ({
      model: name,
      size,
      ...countOps(configOf(name), { height: size, width: size }),
    }));
    return console.log(
      JSON.stringify(ops ? counts : counts.map(({ model, params, macs }) => ({ model, size, params, macs })), null, 1),
    );
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
    .argument('[model]', `quickstart, ${Object.keys(VARIANTS).join(', ')}`)
    .option('--all', 'all models (default without a name)')
    .option('--ops', 'one line per FC and convolution')
    .option('--size <pixels>', 'height and width of the input', wholeNumber(32), 224)
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExamples:\n  morphmlp flops --all\n  morphmlp flops video-s --ops')
    .action(flops);
}
