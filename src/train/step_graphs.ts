import { backward } from '../core/autograd';
import { native, type Graph } from '../core/native';
import { measureGradNorm, scaleGradients } from '../optim';
import { drawStart, recordDraws, rngState, setRngState } from '../core/generator';
import { scope } from '../core/scope';
import { zeros, type Tensor } from '../core/tensor';
import { updatingStatistics } from '../distributed/running_statistics';
import { lossOf } from './loss';
import type { StepParts } from './step';

/** A recorded graph, its results in fixed memory, and the number of random words it draws. */
interface Recorded<T> {
  graph: Graph;
  made: T;
  words: number;
}

/** Results of a batch; each replay overwrites them. */
interface Found {
  loss: Tensor;
  scores: Tensor;
}

/** A batch in fixed device memory that replays read; `input` is recorded too. */
export interface GraphBatch {
  input: () => Tensor;
  targets: Tensor;
  weight: Tensor;
  /** Whether the batch is one of several slices of a step. */
  sliced: boolean;
}

const kept = <T extends Tensor>(t: T): T => Object.assign(t, { persistent: true });

/**
 * The parts of a training step as CUDA graphs, each recorded at first use and then replayed. Values that change between steps are
 * read from device memory: the batch, the optimizer's settings, the clip factor, the random offset. The gradients keep
 * their addresses from the first step on.
 */
export class StepGraphs {
  private readonly recorded = new Map<string, Recorded<unknown>>();
  private readonly numbers: Tensor[];
  private readonly factor: Tensor;
  private readonly gradNorm: Tensor;
  private readonly drawStart: Tensor;

  /** @param batch is filled by the caller before `gradients` @param clipping whether gradients are multiplied by a factor */
  constructor(
    private readonly parts: StepParts,
    private readonly batch: GraphBatch,
    private readonly clipping: boolean,
  ) {
    const { device } = batch.targets;
    this.numbers = parts.optimizer.makeNumbers().map(kept);
    [this.factor, this.gradNorm] = [kept(zeros([1], { device })), kept(zeros([1], { device }))];
    this.drawStart = kept(zeros([4], { device, dtype: 'i32' }));
  }

  /** Computes the gradients of the batch, and replaces the previous ones or adds to them. */
  gradients(add: boolean): Found {
    return this.replay(add ? 'gradients, added' : 'gradients', () => this.computeGradients());
  }

  /** The norm of the gradients. */
  norm(): number {
    this.replay('norm', () => measureGradNorm(this.parts.model.parameters(), this.gradNorm));
    return this.gradNorm.item();
  }

  /** Takes the optimizer's step on the gradients times `factor`, and updates the average. */
  update(factor: number): void {
    this.parts.optimizer.countStep(this.numbers);
    if (this.clipping) this.factor.copyFrom([factor]);
    this.replay('update', () => this.computeUpdate());
  }

  /** Frees the graphs' memory; the caller owns the batch and the gradients. */
  dispose(): void {
    for (const { graph, made } of this.recorded.values()) {
      native.cudaForget(graph);
      for (const t of Object.values((made ?? {}) as Partial<Found>)) t.dispose();
    }
    this.recorded.clear();
    for (const t of [...this.numbers, this.factor, this.gradNorm, this.drawStart]) t.dispose();
  }

  private computeGradients(): Found {
    const { input, targets, weight, sliced } = this.batch;
    return scope(() => {
      const forward = () => this.parts.model.forward(input());
      const logits = sliced ? updatingStatistics(forward) : forward();
      const { loss, scores } = lossOf(logits, targets);
      backward(loss, weight);
      return { loss: kept(loss.detach()), scores: kept(scores.detach()) };
    });
  }

  private computeUpdate(): void {
    const { model, optimizer, average } = this.parts;
    if (this.clipping) scaleGradients(model.parameters(), this.factor);
    optimizer.launchStep(this.numbers);
    average?.update();
  }

  private replay<T>(name: string, body: () => T): T {
    const from = rngState();
    const { graph, made, words } = (this.recorded.get(name) ?? this.record(name, body)) as Recorded<T>;
    if (words > 0) this.drawStart.copyFrom(drawStart(from));
    native.cudaReplay(graph);
    setRngState({ seed: from.seed, offset: from.offset + words });
    return made;
  }

  /** All parts share one memory pool, because they run one after the other. */
  private record<T>(name: string, body: () => T): Recorded<T> {
    const [beside] = this.recorded.values();
    let [made, words] = [undefined as T, 0];
    const launches = () => void (words = recordDraws(this.drawStart, () => (made = body())));
    try {
      const graph = native.cudaRecord(launches, beside?.graph);
      this.recorded.set(name, { graph, made, words });
    } catch (error) {
      const { message } = error as Error;
      throw new Error(`the training step cannot be recorded as a CUDA graph: ${message}`, { cause: error });
    }
    return this.recorded.get(name) as Recorded<T>;
  }
}
