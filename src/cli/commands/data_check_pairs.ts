import pc from 'picocolors';
import { checkPairs, type PairCheck } from '../../data/masks/check';
import { PairDataset } from '../../data/masks/pair_dataset';
import { openDataset } from '../../data/open';
import { DecodePool } from '../../data/video/decode_pool';
import { amount, percent, table } from '../../terminal/format';
import { Progress } from '../../terminal/progress';
import { printable } from '../../terminal/text_width';
import type { RunOptions } from '../../train/options';

/** Findings that are named of each kind. */
const SHOWN = 20;

function text({ source, pairs, pixels, ignored }: PairCheck, names: readonly string[]): string {
  const all = pixels.reduce((a, b) => a + b, 0);
  const rows = names.map((name, i) => [printable(name), pixels[i]!, all > 0 ? percent(pixels[i]! / all) : '–']);
  const head = `${source}: ${amount(pairs, 'pair')} of ${amount(names.length, 'class', 'classes')}`;
  const classes = table(rows, { head: ['class', 'pixels', 'share'], align: ['left', 'right', 'right'] });
  return `${pc.bold(printable(head))}\n${classes}\nignored  ${percent(ignored / Math.max(1, all + ignored))} of the pixels`;
}

/** Runs `morphmlp data check` on pictures and masks: exit status 0 without findings, 1 for pairs that cannot be used, 2 for files without partner. */
export async function checkMasks({ train, val, clips, classes }: RunOptions, json: boolean): Promise<void> {
  const pool = new DecodePool(1);
  const found: { check: PairCheck; names: readonly string[] }[] = [];
  try {
    for (const [spec, isTrain] of [[train, true] as const, ...(val ? [[val, false] as const] : [])]) {
      const known = found[0] ? { known: found[0].names } : {};
      const set = openDataset(
        spec,
        { clips: { ...clips, train: isTrain }, classes: classes ?? undefined, ...known },
        pool,
      );
      if (!(set instanceof PairDataset)) throw new Error(`${spec.path}: drawn pictures have no files to check`);
      const bar = new Progress({ label: 'checking', total: set.length });
      let done = 0;
      const onPair = (): void => bar.update(++done);
      const check = await checkPairs(set.list, set.classNames.length, spec.reduceZeroLabel ?? false, onPair);
      bar.finish();
      found.push({ check, names: set.classNames });
    }
  } finally {
    await pool.close();
  }
  const [bad, alone] = [found.flatMap(({ check }) => check.bad), found.flatMap(({ check }) => check.alone)];
  if (json) console.log(JSON.stringify(found.map(({ check, names }) => ({ ...check, classNames: names }))));
  else {
    console.log(found.map(({ check, names }) => text(check, names)).join('\n\n'));
    for (const reason of alone.slice(0, SHOWN)) console.error(pc.yellow(`warning: ${printable(reason)}`));
    for (const reason of bad.slice(0, SHOWN)) console.error(pc.red(`error: ${printable(reason)}`));
    const more = Math.max(0, alone.length - SHOWN) + Math.max(0, bad.length - SHOWN);
    if (more > 0) console.error(`… and ${more} more`);
    if (bad.length + alone.length === 0) console.log('nothing to mend');
  }
  process.exitCode = bad.length > 0 ? 1 : alone.length > 0 ? 2 : 0;
}
