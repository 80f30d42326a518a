/** Measures what a training step takes on this machine. */
import { manualSeed } from '../../core/generator';
import { Philox } from '../../core/philox';
import { MorphMLP } from '../../models/morphmlp';
import { labelTargets } from '../../ops/cross_entropy';
import { AdamW } from '../../optim';
import type { RunOptions } from '../options';
import { LaunchedSteps, type StepInputs } from '../step';

/** Steps that are measured after one that is not. */
const STEPS = 3;

function randomBatch({ architecture, clips, microBatch, normalisation }: RunOptions, classes: number): StepInputs {
  const { frames } = architecture;
  const shape = [microBatch, frames, clips.crop, clips.crop, 3] as const;
  const pixels = new Philox(0).bytes(shape.reduce((a, b) => a * b, 1));
  const labels = Int32Array.from({ length: microBatch }, (_, i) => i % classes);
  return { clips: { pixels, shape, normalisation }, targets: labelTargets(labels, classes), weight: 1 };
}

/** Seconds of training per clip: the median of a few steps of the run's model on random clips. */
export function secondsPerClip(options: RunOptions, classes: number): number {
  manualSeed(options.seed);
  const model = new MorphMLP({ ...options.architecture, numClasses: classes });
  model.precision = options.precision;
  const optimizer = new AdamW(model.parameters(), { lr: 1e-6 });
  const steps = new LaunchedSteps({ model, optimizer });
  const batch = randomBatch(options, classes);
  const times = Array.from({ length: STEPS + 1 }, () => {
    const since = performance.now();
    steps.gradients(batch, 0);
    steps.update(1);
    return performance.now() - since;
  });
  optimizer.dispose();
  model.dispose();
  const [median] = times
    .slice(1)
    .sort((a, b) => a - b)
    .slice(STEPS >> 1);
  return median! / 1000 / options.microBatch;
}
