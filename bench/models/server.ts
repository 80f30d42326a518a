// Times our models, with the requests and answers of bench/peers/bench.py, so that peers can take turns in one run:
// setup, run, output, drop CASE; peak; quit.
import { readFileSync } from 'node:fs';
import readline from 'node:readline';
import { backward, noGrad } from '../../src/autograd';
import { relativeError, fillParameter, value } from '../../src/io/reference';
import { timeSteps, VARIANTS } from '../../src/models/config';
import { create, type MorphMLP } from '../../src/models/morphmlp';
import { softCrossEntropy } from '../../src/ops/cross_entropy';
import { AdamW, parameterGroups } from '../../src/optim';
import { fmaPeak, instructionSet, setThreads, threads } from '../../src/runtime';
import { scope } from '../../src/scope';
import { tensor } from '../../src/tensor';
import { parseCase, type ModelCase } from './case';

const TOLERANCE = 2e-6;
const REFERENCE = 'test/fixtures/reference/models_full.json';
const REFERENCE_NAMES: Record<string, string> = {
  'video-s': 'video_s16',
  'video-b': 'video_b16',
  'video-s-32': 'video_s32',
  'image-t': 'image_t',
  'image-s': 'image_s',
  'image-b': 'image_b',
};

function softTargets(batch: number, classes: number): Float32Array {
  const targets = value('bench.t', [batch, classes]).map(Math.abs);
  for (let row = 0; row < batch; row++) {
    const part = targets.subarray(row * classes, (row + 1) * classes);
    const sum = part.reduce((a, b) => a + b, 0);
    part.forEach((v, i) => (part[i] = v / sum));
  }
  return targets;
}

function fill(model: MorphMLP): void {
  for (const [name, t] of model.namedTensors()) t.copyFrom(fillParameter(name, t.shape));
}

class Served {
  private readonly model: MorphMLP;
  private readonly optimizer: AdamW | null;
  private readonly shape: number[];
  private readonly x: Float32Array;
  private readonly targets: Float32Array;

  constructor(readonly what: ModelCase) {
    this.model = create(what.variant, { dropPath: 0 }); // as the peers: the same work in every step
    fill(this.model);
    const { config } = this.model;
    this.shape = [what.batch, 3, config.kind === 'video' ? config.frames : 1, 224, 224];
    this.x = value('bench.x', this.shape);
    this.targets = softTargets(what.batch, config.numClasses);
    const groups = what.work === 'train' ? parameterGroups(this.model.parameters(), 0.05) : null;
    this.optimizer = groups && new AdamW(groups, { lr: 1e-4 });
  }

  /** Relative error of the logits against the float64 reference of this variant. */
  verify(): number {
    const name = REFERENCE_NAMES[this.what.variant] as string;
    const cases = JSON.parse(readFileSync(REFERENCE, 'utf8')) as Record<
      string,
      { x: number[]; eval_logits: number[][] }
    >;
    const reference = cases[name] as { x: number[]; eval_logits: number[][] };
    const logits = this.logits(value(`${name}.x`, reference.x), reference.x);
    const error = relativeError(logits, reference.eval_logits.flat());
    if (!(error <= TOLERANCE)) throw new Error(`${this.what.text}: logits differ from float64 by ${error}`);
    return error;
  }

  logits(x: Float32Array, shape: readonly number[]): Float32Array {
    return scope(() => noGrad(() => this.model.eval().forward(tensor(x, shape)).floats()));
  }

  output(): number[] | number {
    if (this.what.work === 'forward') return [...this.logits(this.x, this.shape)];
    const loss = scope(() =>
      noGrad(() => softCrossEntropy(this.model.train().forward(tensor(this.x, this.shape)), this.target()).item()),
    );
    fill(this.model);
    return loss;
  }

  run(): number {
    const start = performance.now();
    if (this.optimizer) this.step(this.optimizer);
    else this.logits(this.x, this.shape);
    return performance.now() - start;
  }

  dispose(): void {
    this.model.dispose();
    this.optimizer?.dispose();
  }

  private step(optimizer: AdamW): void {
    scope(() => backward(softCrossEntropy(this.model.train().forward(tensor(this.x, this.shape)), this.target())));
    optimizer.step();
    optimizer.zeroGrad();
  }

  private target() {
    return tensor(this.targets, [this.what.batch, this.model.config.numClasses]);
  }
}

const served = new Map<string, Served>();

function setup(text: string): object {
  const one = new Served(parseCase(text));
  const error = one.verify();
  const output = one.output();
  for (let i = 0; i < 2; i++) one.run();
  served.set(text, one);
  const about = VARIANTS[one.what.variant]!.config;
  return {
    peer: 'morphmlp',
    case: text,
    threads: threads(),
    kernels: instructionSet(),
    steps: timeSteps(about),
    error,
    output,
  };
}

function peakRssMb(): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
}

function answer(line: string): object {
  const [verb = '', ...rest] = line.trim().split(/\s+/);
  const text = rest.join(' ');
  if (verb === 'setup') return setup(text);
  if (verb === 'peak') return { gflops: fmaPeak(0.3), rss: peakRssMb() };
  const one = served.get(text);
  if (!one) throw new Error(`expected 'setup ${text}' before '${verb} ${text}'`);
  if (verb === 'run') return { case: text, ms: one.run() };
  if (verb === 'output') return { case: text, output: one.output() };
  one.dispose();
  served.delete(text);
  return { case: text, dropped: true };
}

setThreads(Number(process.env.MORPHMLP_THREADS ?? threads()));
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  if (line.trim() === 'quit') process.exit(0);
  try {
    console.log(JSON.stringify(answer(line)));
  } catch (error) {
    console.log(JSON.stringify({ error: (error as Error).message }));
  }
});
