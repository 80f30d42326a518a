import type { Clip } from '../data/types';
import type { OnProgress } from '../terminal/progress';
import { studyAblation, switchesOf, type Others } from './ablate';
import type { LearnedStudy } from './learned_types';
import { matrixNorms, mixingFcs } from './matrices';
import { probeBlocks } from './probe';
import { clipSaliency, type SaliencyMaps } from './saliency';
import { normalisationOf, type Subject } from './subject';

/** Standard deviation of the SmoothGrad noise, as a fraction of the range of a clip's values. */
const NOISE = 0.1;

/** Options of the study. */
export interface LearnedOptions {
  others: Others;
  /** The number of noisy copies over which saliency is averaged; 0 for the clip alone. */
  copies: number;
}

/** The number of clips for which saliency is computed. */
const SALIENT_CLIPS = 4;

/** Chooses a few clips from as many classes as possible. */
export function salientClips(clips: readonly Clip[]): Clip[] {
  const first = clips.filter(({ label }, i) => clips.findIndex((clip) => clip.label === label) === i);
  return [...first, ...clips.filter((clip) => !first.includes(clip))].slice(0, SALIENT_CLIPS);
}

/** The results, with per-pixel saliency of clips for the page. */
export interface Learned {
  learned: LearnedStudy;
  maps: SaliencyMaps[];
}

/** Studies what a model has learned: its weight matrices and, if there are clips, branch weights, activations, saliency and ablations. */
export async function studyLearned(
  { network, clips, ...rest }: Subject,
  { others, copies }: LearnedOptions,
  onProgress: OnProgress = () => undefined,
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
  const seen = await probeBlocks(model, clips, reading, (done) => onProgress(done, total, 'probing the blocks'));
  const salience = salient.map((clip, i) => {
    onProgress(clips.length + i, total, 'computing saliency');
    return clipSaliency(model, clip, { ...reading, copies, noise: NOISE });
  });
  const before = clips.length + salient.length;
  const switched = (done: number) => onProgress(before + done, total, 'switching parts off');
  const ablation = await studyAblation(model, clips, { ...reading, others }, switched);
  const saliency = { copies, noise: NOISE, clips: salience.map((one) => one.saliency) };
  const learned = { clips: clips.length, ...seen, matrices, saliency, ablation };
  return { learned, maps: salience.map(({ maps }) => maps) };
}
