import { readFileSync } from 'node:fs';
import path from 'node:path';
import { backward, noGrad } from '../../core/autograd';
import { relativeError } from '../op_cases/compare';
import { fillModel, value } from '../../formats/reference';
import { defaultRecompute, VARIANTS, type MorphMlpConfig } from '../../models/config';
import { MorphMLP } from '../../models/morphmlp';
import { native, type Graph } from '../../core/native';
import { softCrossEntropy } from '../../ops/cross_entropy';
import { AdamW, parameterGroups } from '../../optim';
import { scope } from '../../core/scope';
import { ones, tensor, type Tensor } from '../../core/tensor';
import { StepGraphs } from '../../train/step_graphs';
import { referenceName, type ModelCase, type Where } from './case';

/** A network with its float64 reference: the logits of the input `value('NAME.x', x)`. */
export interface Subject {
  name: string;
  config: MorphMlpConfig;
  reference: { x: number[]; eval_logits: number[][] };
}

/** The largest relative L2 error of logits. bf16 has 8 significant bits, and a forward pass rounds about a hundred times. */
const TOLERANCE = { f32: 2e-6, bf16: 3e-2 };
const REFERENCE = path.join(__dirname, '..', '..', '..', 'test', 'fixtures', 'reference', 'models_full.json');

/** A published network with its reference. @throws if the reference file, which only the repository contains, is missing */
function publishedSubject(variant: string): Subject {
  const name = referenceName(variant);
  let text: string;
  try {
    text = readFileSync(REFERENCE, 'utf8');
  } catch {
    throw new Error(
      `models are verified against float64 before they are timed, and ${REFERENCE} is missing: run this in a checkout`,
    );
  }
  const cases = JSON.parse(text) as Record<string, Subject['reference']>;
  return { name, config: VARIANTS[variant]!.config, reference: cases[name]! };
}

function softTargets(batch: number, classes: number): Float32Array {
  const targets = value('bench.t', [batch, classes]).map(Math.abs);
  for (let row = 0; row < batch; row++) {
    const part = targets.subarray(row * classes, (row + 1) * classes);
    const sum = part.reduce((a, b) => a + b, 0);
    part.forEach((v, i) => (part[i] = v / sum));
  }
  return targets;
}

/** A case with its network, input and targets on the device, for repeated timing. */
export class ServedModel {
  private readonly model: MorphMLP;
  private readonly optimizer: AdamW | null;
  private readonly x: Tensor;
  private readonly targets: Tensor;
  /** The recorded graph, from the second run on: the first run initialises whatever is created lazily. */
  private replayed: { run(): void; dispose(): void } | null = null;
  private ran = false;

  constructor(
    readonly what: ModelCase,
    readonly where: Where,
    private readonly subject: Subject = publishedSubject(what.variant),
    side = 224,
  ) {
    const config = { ...subject.config, dropPath: 0 }; // like the peers: the same work in every step
    const [again, blocks] = [
      where.recompute ?? defaultRecompute(config, where.precision, where.device),
      config.layers.reduce((a, b) => a + b, 0),
    ];
    if (again > blocks) throw new Error(`${what.text}: expected to recompute at most ${blocks} blocks, got ${again}`);
    this.model = new MorphMLP(config);
    this.fill();
    this.model.precision = where.precision;
    this.model.recompute = again;
    const shape = [what.batch, 3, config.kind === 'video' ? config.frames : 1, side, side];
    this.x = tensor(value('bench.x', shape), shape);
    this.targets = tensor(softTargets(what.batch, config.numClasses), [what.batch, config.numClasses]);
    const groups = what.work === 'train' ? parameterGroups(this.model.parameters(), 0.05) : null;
    this.optimizer = groups && new AdamW(groups, { lr: 1e-4 });
  }

  /** Relative error of the logits against the float64 reference. @throws if it exceeds the tolerance */
  verify(): number {
    const { name, reference } = this.subject;
    const x = value(`${name}.x`, reference.x);
    const logits = scope(() => this.logits(tensor(x, reference.x)));
    const error = relativeError(logits, reference.eval_logits.flat());
    const allowed = TOLERANCE[this.where.precision];
    if (error <= allowed) return error;
    throw new Error(`${this.what.text}: logits differ from float64 by ${error.toExponential(1)}, allowed ${allowed}`);
  }

  /** The logits of the common input with the initial weights; for training with batch statistics. Call it before any step. */
  output(): number[] {
    const logits = this.logits(this.x, this.what.work === 'train');
    this.fill(); // restores the running statistics
    return [...logits];
  }

  /** Milliseconds of one forward pass or training step, including synchronisation. */
  run(): number {
    const start = performance.now();
    if (this.ran && this.where.launch === 'graph') (this.replayed ??= this.record()).run();
    else if (this.optimizer) this.step(this.optimizer);
    else this.logits(this.x);
    this.ran = true;
    if (this.where.device === 'cuda') native.cudaSynchronize();
    return performance.now() - start;
  }

  dispose(): void {
    this.replayed?.dispose();
    this.optimizer?.zeroGrad();
    this.model.dispose();
    this.optimizer?.dispose();
    this.x.dispose();
    this.targets.dispose();
  }

  private fill(): void {
    fillModel(this.model.namedTensors());
  }

  private logits(x: Tensor, training = false): Float32Array {
    return scope(() => noGrad(() => this.model.train(training).forward(x).floats()));
  }

  private record() {
    return this.optimizer ? this.recordStep(this.optimizer) : this.recordForward();
  }

  private recordForward() {
    let logits!: Tensor;
    const forward = () => void (logits = this.model.eval().forward(this.x));
    const graph: Graph = native.cudaRecord(() => noGrad(forward));
    const run = (): void => {
      native.cudaReplay(graph);
      logits.floats();
    };
    return { run, dispose: () => (native.cudaForget(graph), logits.dispose()) };
  }

  private recordStep(optimizer: AdamW) {
    const batch = { input: () => this.x, targets: this.targets, weight: ones([]), sliced: false };
    const graphs = new StepGraphs({ model: this.model.train(), optimizer }, batch, false);
    const run = (): void => {
      graphs.gradients(false);
      graphs.update(1);
    };
    return { run, dispose: () => (graphs.dispose(), batch.weight.dispose()) };
  }

  private step(optimizer: AdamW): void {
    scope(() => backward(softCrossEntropy(this.model.train().forward(this.x), this.targets)));
    optimizer.step();
    optimizer.zeroGrad();
  }
}
