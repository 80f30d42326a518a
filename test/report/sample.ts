import type { ReportClip, ReportMistake, RunReport, StepPoint } from '../../src/report/types';

/** A deterministic generator of numbers in [0, 1). */
export function noise(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export const CLASSES = [
  'left to right',
  'right to left',
  'up',
  'down',
  'growing',
  'shrinking',
  'clockwise',
  'anticlockwise',
];

/** A striped square on noise that moves from one side to the other. */
export function sampleClip(label: number, path: string, { frames = 16, size = 64 } = {}): ReportClip {
  const random = noise(label * 977 + 5);
  const pixels = new Uint8Array(frames * size * size * 3);
  const tint = [random(), random(), random()].map((c) => 120 + 130 * c);
  for (let t = 0, i = 0; t < frames; t++) {
    const left = (label % 2 ? 1 - t / frames : t / frames) * (size * 0.7);
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const inside = x >= left && x < left + size * 0.3 && y > size * 0.35 && y < size * 0.65;
        const stripe = (x + y) % 8 < 4 ? 1 : 0.55;
        for (const c of tint) pixels[i++] = inside ? c * stripe : 40 + 40 * random();
      }
    }
  }
  return { pixels, frames, height: size, width: size, label, path };
}

function steps(epochs: number, perEpoch: number): StepPoint[] {
  const random = noise(1);
  return Array.from({ length: epochs * perEpoch }, (_, i) => {
    const done = (i + 1) / (epochs * perEpoch);
    const loss = 2.08 * Math.exp(-5 * done) * (0.8 + 0.4 * random()) + 0.02;
    const learningRate = done < 0.1 ? done / 0.1 : 0.5 + 0.5 * Math.cos((Math.PI * (done - 0.1)) / 0.9);
    const accuracy =
      Math.round(32 * Math.min(1, 0.125 + 0.9 * (1 - Math.exp(-6 * done)) + 0.1 * (random() - 0.5))) / 32;
    return { step: i + 1, epoch: (i + 1) / perEpoch, loss, accuracy, learningRate: 2e-3 * learningRate };
  });
}

/** A confusion matrix whose classes are mostly right, and otherwise confused with their paired class. */
export function sampleConfusion(classes: number, clips: number): number[][] {
  const random = noise(9);
  return Array.from({ length: classes }, (_, truth) => {
    const row = new Array<number>(classes).fill(0);
    for (let i = 0; i < clips; i++) {
      const u = random();
      const other = (truth ^ 1) < classes ? truth ^ 1 : 0;
      const predicted =
        u < 0.82 + 0.15 * ((truth * 7) % 5) * 0.2 ? truth : u < 0.97 ? other : Math.floor(random() * classes);
      row[predicted] = (row[predicted] as number) + 1;
    }
    return row;
  });
}

/** A plausible run of the quickstart preset. */
export function sampleReport(): RunReport {
  const [epochs, perEpoch] = [12, 24];
  const bySteps = steps(epochs, perEpoch);
  const confusion = sampleConfusion(CLASSES.length, 32);
  const clips = CLASSES.length * 32;
  const right = confusion.reduce((sum, row, i) => sum + (row[i] as number), 0);
  const mistakes: ReportMistake[] = Array.from({ length: 7 }, (_, i) => {
    const clip = sampleClip(i, `motion://validation/${100 + 13 * i}`);
    return { clip, predicted: i ^ 1, probability: 0.97 - 0.06 * i };
  });
  return {
    title: 'quickstart',
    status: 'finished',
    startedAt: '2026-03-14T09:26:53.589Z',
    seconds: 97.3,
    command: 'morphmlp train --preset quickstart --seed 1 --out runs/quickstart',
    model: { name: 'video MorphMLP, layers 1-1-2-1', parameters: 1_284_312, macs: 182_400_000, input: '16 × 64 × 64' },
    device: { name: 'cpu', kernels: 'avx512', threads: 2 },
    versions: { morphmlp: '0.1.0', Node: '20.20.2', commit: 'fac8655' },
    data: {
      train: {
        source: 'motion dataset, seed 1',
        clips: 768,
        classes: 8,
        frames: 16,
        size: '64 × 64',
        hash: 'b1946ac92492d234',
      },
      val: {
        source: 'motion dataset, seed 2',
        clips,
        classes: 8,
        frames: 16,
        size: '64 × 64',
        hash: '591785b794601e21',
      },
    },
    classNames: CLASSES,
    steps: bySteps,
    epochs: Array.from({ length: epochs }, (_, e) => {
      const last = bySteps[(e + 1) * perEpoch - 1] as StepPoint;
      const valTop1 = Math.min(0.9609, 0.1 + 0.87 * (1 - Math.exp(-0.6 * (e + 0.4))) + (e % 3 === 0 ? -0.03 : 0.01));
      const valLoss = 1.9 * Math.exp(-0.36 * (e + 1)) + 0.12 + (e % 3 === 0 ? 0.05 : 0);
      const common = {
        epoch: e + 1,
        learningRate: last.learningRate,
        trainLoss: last.loss,
        trainTop1: last.accuracy ?? 0,
      };
      return { ...common, valLoss, valTop1, valTop5: Math.min(1, valTop1 + 0.2), seconds: 7.1 + (e % 2) * 0.4 };
    }),
    evaluation: { clips, loss: 0.1457, top1: right / clips, top5: 0.998, confusion, mistakes },
    shares: { data: 2100, forward: 27_400, backward: 54_100, optimizer: 3300 },
    config: {
      model: { variant: 'quickstart', layers: [1, 1, 2, 1], widths: [32, 64, 96, 128], dropPath: 0.1 },
      data: { frames: 16, crop: 64, batchSize: 32 },
      optim: { name: 'adamw', lr: 0.002, weightDecay: 0.05, warmupEpochs: 1, epochs: 12, clipNorm: 20 },
      seed: 1,
    },
    skipped: [],
    files: {
      'best checkpoint': 'runs/quickstart/best.safetensors',
      'last checkpoint': 'runs/quickstart/last.safetensors',
    },
  };
}

/** An interrupted run over many classes without steps, with unreadable files. */
export function largeReport(classes = 400): RunReport {
  const base = sampleReport();
  const classNames = Array.from(
    { length: classes },
    (_, i) => `action ${String(i).padStart(3, '0')} with a rather long name`,
  );
  const confusion = sampleConfusion(classes, 50);
  return {
    ...base,
    title: 'k400-mlp-s16x4',
    status: 'interrupted',
    seconds: 260_000,
    steps: [],
    classNames,
    evaluation: { ...base.evaluation!, clips: classes * 50, confusion, views: { clips: 4, crops: 1 } },
    shares: { data: 400_000, forward: 300_000, backward: 600_000, optimizer: 20_000 },
    warnings: ['no gradient reaches blocks1.0.t_fc.proj.weight'],
    skipped: [
      { name: 'train/abseiling/ZtwVbXrPqLc_000012_000022.mp4', reason: 'moov atom not found' },
      { name: 'train/zumba/missing.mp4', reason: 'no such file' },
    ],
  };
}
