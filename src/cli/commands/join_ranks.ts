import pc from 'picocolors';
import { setThreads, threads } from '../../core/runtime';
import { connect } from '../../distributed/connect';
import type { Mode } from '../../distributed/launch';
import { threadShare, unusedProcessors } from '../../distributed/processors';
import type { Ranks } from '../../distributed/ranks';

/** Seconds that a rank waits for another: longer than any save or report. */
const RANK_TIMEOUT = 300;

/** Options of a command line, absent or undefined where they are not given. */
export interface JoinOptions {
  mode?: Mode | undefined;
  /** Seconds. */
  timeout?: number | undefined;
}

/**
 * Connects to the other ranks that a launcher has started, if there are any. Only the main one prints from here on; what others have
 * to say carries their name.
 */
export function joinRanks({ mode = 'auto', timeout = RANK_TIMEOUT }: JoinOptions): Ranks {
  const ranks = connect({ mode, timeout });
  if (ranks.isMain) {
    if (ranks.size > 1) for (const note of unusedProcessors(ranks.seats)) console.error(pc.yellow(`note: ${note}`));
    return ranks;
  }
  console.log = () => undefined;
  for (const method of ['error', 'warn'] as const) {
    const print = console[method].bind(console);
    console[method] = (...values: unknown[]) => print(`${ranks.label}:`, ...values);
  }
  return ranks;
}

/** Sets the threads of this rank: as many as were asked for (0: not), or its share of the host. */
export function shareThreads(ranks: Ranks, asked = 0): void {
  if (asked > 0) setThreads(asked);
  else if (ranks.size > 1) setThreads(threadShare(ranks.seats, ranks.rank, threads()));
}
