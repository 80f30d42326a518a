/** What the training loop costs beyond its steps: the loop and the steps alone take turns, on one batch of the same run. */
import type { Batch } from '../../data/types';
import type { Run } from '../../train/run';
import type { Shares, StepEvent, TrainerEvents } from '../../train/trainer';
import { median } from '../statistics';

/** How much is measured: `rounds` times `steps` steps of the loop and as many alone. */
export interface TrainBenchOptions {
  steps: number;
  rounds: number;
  onRound?: (done: number, total: number) => void;
}

/** Milliseconds of a step of the loop by what they were spent on. */
export interface LoopParts {
  /** Waiting for clips that were not ready. */
  data: number;
  /** Forward, backward and optimizer. */
  step: number;
  /** Logs and the progress bar. */
  log: number;
  /** Putting batches together, and the event loop. */
  rest: number;
}

/** Milliseconds a step: medians over the rounds. */
export interface TrainBench {
  alone: number;
  loop: number;
  parts: LoopParts;
  /** Median over the rounds of the time alone to that in the loop. */
  ratio: number;
  /** A step of the first epoch, in which nothing is kept yet; null where it is too short to tell. */
  first: number | null;
}

const computed = ({ forward, backward, optimizer }: Shares): number => forward + backward + optimizer;

/** Takes the time of a run's loop, and in pauses of it that of steps alone. */
export class LoopTimer implements TrainerEvents {
  private run: Run | null = null;
  private batch: Batch | null = null;
  private since = { time: 0, waited: 0, computed: 0, log: 0, steps: 0 };
  private log = 0;
  private epochSince = 0;
  private first: number | null = null;
  private readonly rounds: { alone: number; loop: number; parts: LoopParts }[] = [];

  constructor(
    private readonly options: TrainBenchOptions,
    private readonly view: (run: Run) => (event: StepEvent) => void,
  ) {}

  private logStep: (event: StepEvent) => void = () => undefined;

  /** Measures a run made with these events. Rejects where its data cannot be read. */
  async measure(run: Run): Promise<TrainBench> {
    this.run = run;
    this.logStep = this.view(run);
    for await (const { batch } of run.loaders.train.epoch(0)) {
      this.batch = batch;
      break;
    }
    this.alone(2);
    this.epochSince = performance.now();
    await run.trainer.run(() => undefined);
    const of = (pick: (round: (typeof this.rounds)[number]) => number): number => median(this.rounds.map(pick));
    const part = (name: keyof LoopParts): number => of(({ parts }) => parts[name]);
    return {
      ...{ alone: of(({ alone }) => alone), loop: of(({ loop }) => loop), ratio: of((r) => r.alone / r.loop) },
      parts: { data: part('data'), step: part('step'), log: part('log'), rest: part('rest') },
      first: this.first,
    };
  }

  step(event: StepEvent): void {
    const start = performance.now();
    this.logStep(event);
    this.log += performance.now() - start;
    if (event.epoch === 0) return this.endFirst(event);
    if (++this.since.steps < this.options.steps + 1) {
      if (this.since.steps === 1) this.mark(); // the first step of a round finds what was read during the pause
      return;
    }
    this.endRound();
  }

  private endFirst({ batch }: StepEvent): void {
    const { batches } = this.run!.loaders.train;
    if (batch >= batches) this.first = (performance.now() - this.epochSince) / this.stepsIn(batches);
  }

  private stepsIn(batches: number): number {
    const { batchSize, microBatch } = this.run!.options;
    return batches / (batchSize / microBatch);
  }

  private mark(): void {
    const { trainer, loaders } = this.run!;
    const now = { time: performance.now(), waited: loaders.train.waited, computed: computed(trainer.shares) };
    this.since = { ...now, log: this.log, steps: 1 };
  }

  private endRound(): void {
    const { trainer, loaders } = this.run!;
    const { steps, rounds, onRound } = this.options;
    const each = (ms: number): number => ms / steps;
    const loop = each(performance.now() - this.since.time);
    const data = each(loaders.train.waited - this.since.waited);
    const [step, log] = [each(computed(trainer.shares) - this.since.computed), each(this.log - this.since.log)];
    const parts = { data, step, log, rest: loop - data - step - log };
    this.rounds.push({ loop, parts, alone: this.alone(steps) });
    this.since.steps = 0;
    onRound?.(this.rounds.length, rounds);
    if (this.rounds.length === rounds) trainer.stop();
  }

  /** Milliseconds a step on one batch over and over. */
  private alone(steps: number): number {
    const start = performance.now();
    for (let i = 0; i < steps; i++) this.run!.trainer.repeat(this.batch!);
    return (performance.now() - start) / steps;
  }
}
