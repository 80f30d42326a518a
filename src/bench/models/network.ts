import { noGrad } from '../../core/autograd';
import { relativeError } from '../op_cases/compare';
import { uniform } from '../op_cases/random';
import { AblatedFc } from '../../models/ablated_fc';
import type { MorphMlpConfig } from '../../models/config';
import { MorphMLP } from '../../models/morphmlp';
import { native } from '../../core/native';
import { naivePlugin, withPlugin } from '../../core/plugins';
import { scope } from '../../core/scope';
import { tensor } from '../../core/tensor';

/** A network to time: forward passes on a batch of views of 224 × 224. */
export interface Subject {
  config: MorphMlpConfig;
  batch: number;
  /** Build spatial parts from simple ops, as in the ablations, instead of the fused kernel. */
  simple: boolean;
}

function unfused(model: MorphMLP): void {
  const stages = [model.blocks1, model.blocks2, model.blocks3, model.blocks4];
  stages.forEach((blocks, i) => {
    for (const block of blocks) {
      block.fc.namedTensors().forEach(([, t]) => t.dispose());
      Object.assign(block, { fc: new AblatedFc(model.config, i as 0 | 1 | 2 | 3) });
    }
  });
}

/** Fills parameters with values that make every part contribute: at its initial values MorphFC_t adds nothing. */
function fill(model: MorphMLP): void {
  model.namedParameters().forEach(([name, p], i) => {
    const norm = /norm\d?\.weight$/.test(name);
    const scale = p.ndim > 1 ? Math.sqrt((3 * p.shape[0]!) / p.size) : 0.1;
    p.copyFrom(uniform(i, p.size, scale, norm ? 1 : 0));
  });
}

/** Largest relative L2 error of logits, which differ by the order of f32 sums. */
const TOLERANCE = 1e-5;

/** Wall time and CPU time of all threads of one run, in ms. Other programs hardly affect the latter. */
export interface RunTime {
  ms: number;
  cpuMs: number;
}

/** A network that can run repeatedly on the same views. */
export class TimedNetwork {
  private readonly model: MorphMLP;
  private readonly shape: number[];
  private readonly views: Float32Array;
  private expected: Float32Array | null = null;

  constructor({ config, batch, simple }: Subject) {
    this.model = new MorphMLP(config);
    if (simple) unfused(this.model);
    fill(this.model);
    this.model.eval();
    this.shape = [batch, 3, config.kind === 'video' ? config.frames : 1, 224, 224];
    const size = this.shape.reduce((a, b) => a * b, 1);
    this.views = uniform(1, size);
  }

  /**
   * Compares the logits of one view with those of the same network of simple ops and the naive LayerNorm; returns the relative error.
   * @throws if it exceeds rounding
   */
  verify(): number {
    const shape = [1, ...this.shape.slice(1)];
    const view = this.views.subarray(
      0,
      shape.reduce((a, b) => a * b, 1),
    );
    const logits = () => scope(() => noGrad(() => this.model.forward(tensor(view, shape)).floats()));
    // A block whose LayerNorm is replaced runs op by op instead of fused.
    const error = relativeError(logits(), withPlugin(naivePlugin('layer_norm'), logits));
    if (error <= TOLERANCE) return error;
    throw new Error(`the logits differ from those of simple ops by ${error.toExponential(1)}, allowed ${TOLERANCE}`);
  }

  /**
   * Times one forward pass. Free memory is filled with NaN before the clock starts, so that stale output cannot pass, and the logits
   * must be bit-identical to those of the first run.
   */
  run(): RunTime {
    native.memoryPoison();
    const cpu = process.cpuUsage();
    const start = performance.now();
    const logits = scope(() => noGrad(() => this.model.forward(tensor(this.views, this.shape)).floats()));
    const ms = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    this.expected ??= logits;
    const same = logits.every((v, i) => Number.isFinite(v) && v === this.expected![i]);
    if (!same) throw new Error('the logits are not finite or differ from those of the first run');
    return { ms, cpuMs: (user + system) / 1e3 };
  }

  dispose(): void {
    this.model.dispose();
  }
}
