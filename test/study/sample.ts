import { machine } from '../../src/bench/machine';
import { MotionDataset } from '../../src/data/motion';
import type { Clip } from '../../src/data/types';
import { studyCost } from '../../src/study/cost';
import { studyMixing } from '../../src/study/mixing';
import { describeSubject, randomSubject } from '../../src/study/subject';
import type { Study } from '../../src/study/types';

/** A real study of the small model on drawn clips; temporal FCs are not zero. */
export function sampleStudy(work: 'forward' | 'train' = 'forward'): { study: Study; clips: readonly Clip[] } {
  const dataset = new MotionDataset({ seed: 0, length: 2 });
  const clips = [dataset.render(0), dataset.render(1)];
  const subject = { ...randomSubject('quickstart'), clips };
  for (const [name, p] of subject.network.namedParameters())
    if (name.endsWith('mlp_t.weight')) p.copyFrom(Float32Array.from({ length: p.size }, (_, i) => Math.sin(i) / 20));
  try {
    const cost = studyCost(subject, { work, batch: 1, steps: 1 });
    const mixing = studyMixing(subject, { tokens: 2 });
    return { study: { model: describeSubject(subject), machine: machine(), cost, mixing }, clips };
  } finally {
    subject.network.dispose();
  }
}
