import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { KillCampaign } from '../support/kill_saves';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file is written by one call for each tensor: of these, every fiftieth. */
const WRITES = 50;

/** All calls but most of the writes. */
function sampled(calls: readonly string[]): number[] {
  let writes = 0;
  return calls.flatMap((call, at) => (call.startsWith('write ') && writes++ % WRITES > 0 ? [] : [at]));
}

test('a run that is killed at any call to the file system from its start to its end is resumed to the bits of the uninterrupted run', async () => {
  const campaign = new KillCampaign(folder);
  await campaign.prepare();
  const counts = new Map<string, { kills: number; resumed: number }>();
  const failed: object[] = [];
  for (const at of sampled(campaign.calls)) {
    const kill = await campaign.kill(at);
    const kind = kill.call.split(' ')[0]!;
    const { kills, resumed } = counts.get(kind) ?? { kills: 0, resumed: 0 };
    counts.set(kind, { kills: kills + 1, resumed: resumed + (kill.problems.length === 0 ? 1 : 0) });
    if (kill.problems.length > 0) failed.push({ at, ...kill });
  }
  const lines = [...counts].map(([kind, { kills, resumed }]) => `  ${kind}: ${resumed} of ${kills}`);
  process.stdout.write(`killed, and resumed to the same bits:\n${lines.join('\n')}\n`);
  expect(failed).toEqual([]);
  expect(counts.size).toBeGreaterThan(4);
}, 7_200_000);
