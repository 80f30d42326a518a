import { machine } from '../../src/bench/machine';
import { MotionDataset } from '../../src/data/synthetic/motion';
import type { Clip } from '../../src/data/types';
import type { MorphMLP } from '../../src/models';
import { drawLearned } from '../../src/report/study/learned_pictures';
import { studyCost } from '../../src/study/cost';
import { studyLearned } from '../../src/study/learned';
import { studyMixing } from '../../src/study/mixing';
import { describeSubject, randomSubject } from '../../src/study/subject';
import type { Study } from '../../src/study/types';

/** Sets the temporal FCs of some layers, which are initially 0, to weights that grow along the matrix. */
function setTemporal(network: MorphMLP, which: (name: string) => boolean = () => true): void {
  for (const [name, p] of network.namedParameters())
    if (name.endsWith('mlp_t.weight') && which(name))
      p.copyFrom(Float32Array.from({ length: p.size }, (_, i) => (Math.sin(i) * (i / p.size + 0.1)) / 10));
}

/** The learned study of the small random model on four synthetic clips, with pictures. The temporal FC of its first block is 0. */
export async function sampleLearned(): Promise<{ study: Study; clips: readonly Clip[] }> {
  const dataset = new MotionDataset({ seed: 0, length: 8 });
  const clips = [0, 1, 2, 3].map((i) => dataset.render(i));
  const subject = { ...randomSubject('quickstart'), checkpoint: 'run.safetensors', clips };
  setTemporal(subject.network, (name) => !name.startsWith('blocks1.0'));
  try {
    const found = await studyLearned(subject, { others: 'kept', copies: 0 });
    const learned = { ...found.learned, pictures: await drawLearned(subject, found) };
    return { study: { model: describeSubject(subject), machine: machine(), learned }, clips };
  } finally {
    subject.network.dispose();
  }
}

/** A real study of the small model on synthetic clips; temporal FCs are nonzero. */
export function sampleStudy(work: 'forward' | 'train' = 'forward'): { study: Study; clips: readonly Clip[] } {
  const dataset = new MotionDataset({ seed: 0, length: 2 });
  const clips = [dataset.render(0), dataset.render(1)];
  const subject = { ...randomSubject('quickstart'), clips };
  setTemporal(subject.network);
  try {
    const cost = studyCost(subject, { work, batch: 1, steps: 1 });
    const mixing = studyMixing(subject, { tokens: 2 });
    return { study: { model: describeSubject(subject), machine: machine(), cost, mixing }, clips };
  } finally {
    subject.network.dispose();
  }
}
