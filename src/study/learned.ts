import type { Clip } from '../data/types';
import { studyAblation, switchesOf, type Others } from './ablate';
import type { LearnedStudy } from './learned_types';
import { matrixNorms, mixingFcs } from './matrices';
import { observeBlocks } from './probe';
import { clipSaliency, type SaliencyMaps } from './saliency';
import { normalisationOf, type Subject } from './subject';
import type { Tell } from './types';

/** Standard deviation of the noise of saliency's copies, as a share of the range of a clip's values. */
export const NOISE = 0.1;

/** How the study is made. */
export interface LearnedOptions {
  others: Others;
  /** Noisy copies that saliency is averaged over; 0 for the clip alone. */
  copies: number;
}

/** Clips that saliency is drawn for. */
const SALIENT_CLIPS = 4;

/** A few clips, of as many classes as there are. */
export function salientClips(clips: readonly Clip[]): Clip[] {
  const first = clips.filter(({ label }, i) => clips.findIndex((clip) => clip.label === label) === i);
  return [...first, ...clips.filter((clip) => !first.includes(clip))].slice(0, SALIENT_CLIPS);
}

/** What was found, and the saliency of clips at every pixel, which the page draws. */
export interface Learned {
  learned: LearnedStudy;
  maps: SaliencyMaps[];
}

/** What a model has learned: its matrices, and on clips, where there are any, what its parts do and what they are worth. */
export async function studyLearned(
  { network, clips, ...rest }: Subject,
  { others, copies }: LearnedOptions,
  tell: Tell = () => undefined,
): Promise<Learned> {
  const model = network.eval();
  const matrices = mixingFcs(model).map(matrixNorms);
  if (clips.length === 0) {
    const nothing = { weights: null, activations: null, saliency: null, ablation: null };
    return { learned: { clips: 0, matrices, ...nothing }, maps: [] };
  }
  const reading = { normalisation: normalisationOf({ network, clips, ...rest }) };
  const [salient, runs] = [salientClips(clips), clips.length * (1 + switchesOf(model).length)];
  const total = clips.length + salient.length + runs;
  const seen = await observeBlocks(model, clips, reading, (done) => tell(done, total, 'looking into the blocks'));
  const salience = salient.map((clip, i) => {
    tell(clips.length + i, total, 'differentiating by the frames');
    return clipSaliency(model, clip, { ...reading, copies, noise: NOISE });
  });
  const before = clips.length + salient.length;
  const switched = (done: number) => tell(before + done, total, 'switching parts off');
  const ablation = await studyAblation(model, clips, { ...reading, others }, switched);
  const saliency = { copies, noise: NOISE, clips: salience.map((one) => one.saliency) };
  const learned = { clips: clips.length, ...seen, matrices, saliency, ablation };
  return { learned, maps: salience.map(({ maps }) => maps) };
}
