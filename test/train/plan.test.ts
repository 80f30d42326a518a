import { VARIANTS } from '../../src/models/config';
import { resolveConfig, withPlan } from '../../src/cli/commands/train_settings';
import { runOptions } from '../../src/train/config/recipe';
import { choose, planTime, type Choice } from '../../src/train/plan/choose';
import type { SetFacts } from '../../src/train/plan/facts';

const facts: SetFacts = {
  ...{ kind: 'videos', clips: 120, classes: 6, smallest: 20, largest: 20, classNames: ['zoom', 'pan'] },
  ...{ seconds: 4, shortSeconds: 3.5, side: 120, sampled: 48, unreadable: 0 },
};
const nothing = { has: () => false, frames: 16, targetFps: 30 };
const find = (choices: readonly Choice[], name: string): Choice | undefined => choices.find((one) => one.name === name);

test.each([
  [120, 'quickstart', 64],
  [5000, 'video-2m', 112],
  [50_000, 'video-8m', 112],
])('%i clips train %s at %i', (clips, name, crop) => {
  const model = find(choose({ ...facts, clips }, nothing), 'model')!;
  expect(model.text).toMatch(new RegExp(`^${name}, 16 frames of ${crop}x${crop}`));
  expect(model.settings['MORPH.EMBED_DIMS']).toEqual([...VARIANTS[name]!.config.embedDims]);
  expect(model.settings['DATA.TRAIN_CROP_SIZE']).toBe(crop);
});

test.each([
  [4, 6, '0.2 s: a clip spans 3.2 s'],
  [0.4, 1, '0.033 s: a clip spans 0.53 s'],
  [60, 15, '0.5 s: a clip spans 8 s'],
])('clips of videos of %p s take every %p-th of 30 frames a second', (seconds, rate, text) => {
  const frames = find(choose({ ...facts, seconds, shortSeconds: seconds }, nothing), 'frames')!;
  expect(frames.settings).toEqual({ 'DATA.SAMPLING_RATE': rate });
  expect(frames.text).toContain(text);
});

test.each([
  [1, 1],
  [5, 2],
  [15, 7],
  [16, undefined],
])('of %i clips a step takes %p', (clips, size) => {
  expect(find(choose({ ...facts, clips }, nothing), 'batch')?.settings['TRAIN.BATCH_SIZE']).toBe(size);
});

test('clips are not mirrored, and a class that names a side is named', () => {
  const why = (classNames: string[]) => find(choose({ ...facts, classNames }, nothing), 'mirror')!.why;
  expect(why(['walk', 'turn_left'])).toContain('class turn_left');
  expect(why(['walk', 'swim'])).toContain('may differ by direction');
  expect(why(['bright', 'cleft'])).not.toContain('class bright');
  expect(why(['bright', 'cleft'])).not.toContain('class cleft');
});

test('classes of different sizes are weighted', () => {
  expect(find(choose(facts, nothing), 'classes')).toBeUndefined();
  const chosen = find(choose({ ...facts, smallest: 10, largest: 20 }, nothing), 'classes')!;
  expect(chosen.settings).toEqual({ 'RUN.BALANCE': 'weights' });
});

test('what was given is left alone, and goes over the plan', () => {
  expect(choose(facts, { ...nothing, has: () => true })).toEqual([]);
  const resolved = resolveConfig({ data: 'videos', rate: 9, flip: true }, ['MORPH.DROP_DEPTH_RATE', '0.4']);
  const chosen = choose(facts, { ...nothing, has: (key) => resolved.given.some((one) => one.key === key) });
  expect(chosen.map(({ name }) => name)).toEqual(['model']);
  const settings = chosen.flatMap((one) =>
    Object.entries(one.settings).map(([key, value]) => ({ key, value, where: 'the plan' })),
  );
  const options = runOptions(withPlan(resolved, settings));
  expect(options.clips).toMatchObject({ rate: 9, flip: true, crop: 64, jitter: [73, 91] });
  expect(options.architecture).toMatchObject({ embedDims: [32, 64, 96, 128], dropPath: 0.4, frames: 16 });
});

test.each(['0', '1', '1.5', '-0.2'])('a validation share of %s is refused before any file is read', (val) => {
  const { config } = resolveConfig({ data: 'videos', val }, []);
  expect(() => runOptions(config)).toThrow(
    `--val ${val}: expected files, or a share of the training files between 0 and 1`,
  );
});

describe('the time of a plan', () => {
  const timing = { has: () => false, perClip: 0.01, budget: 1800, epochs: 60 };

  test('is what its epochs take', () => {
    const { choices, seconds } = planTime(facts, timing);
    expect(choices[0]!.settings).toEqual({ 'SOLVER.MAX_EPOCH': 75 });
    expect(seconds).toBeCloseTo(75 * 120 * 0.01 * 1.2, 6);
  });

  test('limits the epochs, to five at least', () => {
    const of = (budget: number) => planTime(facts, { ...timing, budget });
    expect(of(36).choices[0]).toMatchObject({
      text: '25',
      why: expect.stringContaining('75 would be better') as string,
    });
    expect(of(1).choices[0]!.text).toBe('5');
  });

  test('is told for epochs that were given', () => {
    expect(planTime(facts, { ...timing, has: (key) => key === 'SOLVER.MAX_EPOCH' })).toEqual({
      ...{ choices: [], seconds: 60 * 120 * 0.01 * 1.2 },
    });
  });
});
