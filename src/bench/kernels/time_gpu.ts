/**
 * Times one op on a GPU, by its own timer, in four regimes. `launched`: the GPU waits when the timer starts, and gets one launch after the
 * other out of the program, so that the time between them counts. `graph`: the launches were recorded once and are replayed behind other
 * work, so that the GPU's time alone counts. With a `cold` L2 cache twice as much as it holds was written before, outside of the timer.
 */
import { backward, noGrad } from '../../core/autograd';
import { native } from '../../core/native';
import { scope } from '../../core/scope';
import type { Tensor } from '../../core/tensor';
import { refresh, type Bench, type CacheState, type Launch, type Timing } from './rounds';
import { takeGradients, type Variant } from './variant';

/** One direction of an op: what has to run before it, it, and what came out. */
interface Direction<T> {
  before(): void;
  run(): void;
  results(): T;
  /** Gives back what a run left. */
  drop(): void;
}

interface Directions {
  forward: Direction<Float32Array>;
  backward: Direction<Record<string, Float32Array>> | null;
  release(): void;
}

const nothing = () => undefined;

/** The gradients that a backward left; the tensors have none afterwards. */
function detachGradients(inputs: Record<string, Tensor>): Record<string, Tensor> {
  const found = Object.entries(inputs).flatMap(([name, t]) => (t.grad ? [[name, t.grad] as const] : []));
  for (const t of Object.values(inputs)) t.grad = null;
  return Object.fromEntries(found);
}

const dropAll = (tensors: Record<string, Tensor>) => Object.values(tensors).forEach((t) => t.dispose());

/** Runs that are launched anew each time. What they make belongs to the caller's scope. */
function launchedOnes({ c, inputs, gy }: Bench, variant: Variant): Directions {
  let y: Tensor;
  return {
    forward: {
      before: nothing,
      run: () => (y = noGrad(() => c.forward(inputs))),
      results: () => y.floats(),
      drop: nothing,
    },
    backward: variant.backward
      ? {
          before: () => (y = c.forward(inputs)),
          run: () => backward(y, gy),
          results: () => takeGradients(c, inputs),
          drop: () => dropAll(detachGradients(inputs)),
        }
      : null,
    release: nothing,
  };
}

/** The backward reads what the recorded forward left, so each replay of it comes after one of that. */
function recordedBackward({ c, inputs, gy }: Bench) {
  let y!: Tensor;
  const forward = native.cudaRecord(() => void (y = c.forward(inputs)));
  const graph = native.cudaRecord(() => backward(y, gy));
  const grads = detachGradients(inputs);
  const results = () => Object.fromEntries(Object.entries(grads).map(([name, t]) => [name, t.floats()]));
  const release = () => {
    dropAll(grads);
    [forward, graph].forEach((one) => native.cudaForget(one));
  };
  const direction = { before: () => native.cudaReplay(forward), run: () => native.cudaReplay(graph), results };
  return { direction: { ...direction, drop: nothing }, release };
}

/** Runs that are replays; their results lie where they lay when they were recorded. */
function recordedOnes(bench: Bench, variant: Variant): Directions {
  let y!: Tensor;
  const { c, inputs } = bench;
  const forward = native.cudaRecord(() => void (y = noGrad(() => c.forward(inputs))));
  const back = variant.backward ? recordedBackward(bench) : null;
  return {
    forward: { before: nothing, run: () => native.cudaReplay(forward), results: () => y.floats(), drop: nothing },
    backward: back?.direction ?? null,
    release: () => {
      native.cudaForget(forward);
      back?.release();
    },
  };
}

/** Numbers of no round that counts. */
const other = (round: number) => -1000 - round;

/**
 * One measurement. The op runs on other numbers first: so a warm cache is that of a run, and what a kernel does not write is wrong.
 */
function measure<T>(bench: Bench, d: Direction<T>, round: number, cache: CacheState, launch: Launch) {
  scope(() => {
    refresh(bench, other(round));
    d.before();
    d.run();
    d.drop();
  });
  return scope(() => {
    refresh(bench, round);
    d.before();
    if (cache === 'cold') native.cudaFlushCache();
    native.cudaSynchronize();
    if (launch === 'graph') native.cudaDelay();
    native.cudaStartTimer();
    d.run();
    const ms = native.cudaStopTimer();
    return { ms, results: d.results() };
  });
}

/** A variant ready to be timed on the GPU, and what gives back what it holds. */
export function onGpu(bench: Bench, variant: Variant, cache: CacheState, launch: Launch) {
  const make = launch === 'graph' ? recordedOnes : launchedOnes;
  native.memoryPoison(); // what a recording is given must not hold the results of another regime
  const directions = variant.use(() => make(bench, variant));
  const once = (round: number, into: Timing) =>
    variant.use(() => {
      into.round = round;
      native.memoryPoison();
      const forward = measure(bench, directions.forward, round, cache, launch);
      into.forwardMs.push(forward.ms);
      into.results = { y: forward.results, grads: {} };
      if (!directions.backward) return;
      const back = measure(bench, directions.backward, round, cache, launch);
      into.backwardMs.push(back.ms);
      into.results.grads = back.results;
    });
  return { once, release: directions.release };
}
