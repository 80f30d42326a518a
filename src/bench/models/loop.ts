/** Measures the overhead of the training loop: rounds of the loop alternate with rounds of bare steps on one batch of the same run. */
import type { Batch } from '../../data/types';
import type { Run } from '../../train/run';
import type { Shares, StepEvent, TrainerEvents } from '../../train/trainer';
import { median } from '../statistics';

/** Measures `rounds` rounds, each of `steps` steps of the loop and as many bare steps. */
export interface TrainBenchOptions {
  steps: number;
  rounds: number;
  onRound?: (done: number, total: number) => void;
}

/** Milliseconds of a loop step by activity. */
export interface LoopParts {
  /** Waiting for data. */
  data: number;
  /** Forward, backward and optimizer. */
  step: number;
  /** Logs and the progress bar. */
  log: number;
  /** Assembling batches, and the event loop. */
  rest: number;
}

/** Milliseconds per step: medians over the rounds. */
export interface TrainBench {
  alone: number;
  loop: number;
  parts: LoopParts;
  /** Median over the rounds of bare step time divided by loop step time. */
  ratio: number;
  /** A step of the first epoch, before data is cached; null if the epoch is too short. */
  first: number | null;
}

const computed = ({ forward, backward, optimizer }: Shares): number => forward + backward + optimizer;

/** Times a run's training loop, and bare steps in pauses of it. */
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

  /** Measures a run created with these events. Rejects if its data cannot be read. */
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
      if (this.since.steps === 1) this.mark(); // the first step of a round uses data read during the pause
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

  /** Milliseconds per bare step, repeated on one batch. */
  private alone(steps: number): number {
    const start = performance.now();
    for (let i = 0; i < steps; i++) this.run!.trainer.repeat(this.batch!);
    return (performance.now() - start) / steps;
  }
}
