import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { KillCampaign } from '../support/kill_saves';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Calls of the save at the end of the first epoch: up to the flush of the folder after the rename of its record. */
function firstSave(calls: readonly string[]): number[] {
  const from = calls.indexOf('open .best.safetensors.tmp');
  expect(from).toBeGreaterThan(0);
  const end = calls.findIndex((call, i) => i > from && call === 'rename .last.safetensors.tmp') + 2;
  return Array.from({ length: end - from }, (_, i) => from + i);
}

test('a run that is killed at any rename or flush of a save is resumed to the bits of the uninterrupted run', async () => {
  const campaign = new KillCampaign(folder);
  await campaign.prepare();
  const { calls } = campaign;
  const save = firstSave(calls);
  const named = (word: string) => save.filter((i) => calls[i]!.startsWith(word));
  const writes = named('write');
  const points = [...named('rename'), ...named('fsync'), writes[0]!, writes[writes.length >> 1]!, writes.at(-1)!];
  expect(named('rename')).toHaveLength(3); // best, epoch_0001, last
  expect(named('fsync')).toHaveLength(6);
  for (const at of points) expect(await campaign.kill(at)).toEqual({ call: calls[at], problems: [] });
});
