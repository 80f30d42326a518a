import { clipSettings } from '../ops/clip_input';
import type { Tensor } from '../core/tensor';
import { updatingStatistics } from '../distributed/running_statistics';
import { SliceRandom, wordsOfForward } from './slice_random';
import { LaunchedSteps, stepInput, stepTensors } from './step';
import type { Outcome, StepInputs, StepParts, StepRunner, StepTensors } from './step';
import { StepGraphs } from './step_graphs';

/**
 * Steps that are replayed as CUDA graphs. Gradients are added up as they come, since graphs keep their addresses: from four slices
 * a step on, the last bits differ from those of `LaunchedSteps`. The first step is
 * launched kernel by kernel, so that lazily created state exists when the second is recorded. Partial batches are launched too, because graphs have fixed shapes.
 */
export class RecordedSteps implements StepRunner {
  private readonly launched: LaunchedSteps;
  private graphs: { steps: StepGraphs; batch: StepTensors } | null = null;
  /** Implementation of the current step; null between steps. */
  private step: 'launched' | 'replayed' | null = null;
  private launchedOne = false;
  /** Gradients of the replays, set aside during a launched step. */
  private aside: (Tensor | null)[] = [];

  private readonly random: SliceRandom | null;

  /** @param fullBatch clips of a recorded batch @param clipping whether gradients may be clipped @param slices of a step */
  constructor(
    private readonly parts: StepParts,
    private readonly fullBatch: number,
    private readonly clipping: boolean,
    private readonly slices: number,
  ) {
    this.launched = new LaunchedSteps(parts);
    this.random = slices > 1 ? new SliceRandom(slices, () => wordsOfForward(parts.model, fullBatch)) : null;
  }

  gradients(inputs: StepInputs, slice: number): Outcome {
    this.random?.begin(slice);
    const full = inputs.clips.shape[0] === this.fullBatch;
    const add = this.step !== null;
    if (!add) this.begin(full && this.launchedOne ? 'replayed' : 'launched');
    if (full && this.step === 'replayed') return this.replay(inputs, add);
    const launch = () => this.launched.gradients(inputs, slice);
    return { ...(this.slices > 1 ? updatingStatistics(launch) : launch()), forwardMs: null };
  }

  finish(): void {
    this.random?.finish();
  }

  norm(): number {
    return this.step === 'replayed' ? this.graphs!.steps.norm() : this.launched.norm();
  }

  update(factor: number): void {
    if (this.step === 'replayed') this.graphs!.steps.update(factor);
    else this.launched.update(factor);
    this.end();
  }

  again(inputs: StepInputs): void {
    this.forget(); // frees memory for the launched step
    this.launched.again(inputs);
  }

  dispose(): void {
    this.forget();
    for (const gradient of this.aside) gradient?.dispose();
    this.aside = [];
    this.step = null;
  }

  private begin(how: 'launched' | 'replayed'): void {
    this.step = how;
    if (how === 'replayed') return;
    const parameters = this.parts.model.parameters();
    this.aside = parameters.map((p) => p.grad);
    for (const p of parameters) p.grad = null;
  }

  private end(): void {
    if (this.step === 'launched') this.parts.model.parameters().forEach((p, i) => (p.grad = this.aside[i]!));
    this.aside = [];
    this.launchedOne = true;
    this.step = null;
  }

  private replay(inputs: StepInputs, add: boolean): Outcome {
    if (this.graphs) this.fill(inputs);
    else this.graphs = this.graphsOf(stepTensors(inputs));
    const { loss, scores } = this.graphs.steps.gradients(add);
    return { loss: loss.item(), scores: scores.data() as Outcome['scores'], forwardMs: null };
  }

  private graphsOf(batch: StepTensors) {
    const { model } = this.parts;
    const { targets, weight } = batch;
    const input = () => stepInput(model, batch);
    const sliced = this.slices > 1;
    return { steps: new StepGraphs(this.parts, { input, targets, weight, sliced }, this.clipping), batch };
  }

  private fill({ clips, targets, weight }: StepInputs): void {
    const { batch } = this.graphs!;
    batch.pixels.copyFrom(clips.pixels);
    batch.settings.copyFrom(clipSettings({ normalisation: clips.normalisation, mix: clips.mix ?? null }));
    batch.targets.copyFrom(targets);
    batch.weight.copyFrom([weight]);
  }

  private forget(): void {
    if (!this.graphs) return;
    this.graphs.steps.dispose();
    for (const t of Object.values(this.graphs.batch)) t.dispose();
    this.graphs = null;
    this.parts.optimizer.zeroGrad(); // the recording starts without gradients
  }
}
