/**
 * Times one op by the GPU's own timer, for each launch mode and cache state. `launched`: the GPU is idle when the timer starts and kernels
 * are launched one by one, so that launch latency counts. `graph`: a recorded graph is replayed behind other work, so that only GPU time
 * counts. `cold`: twice the capacity of the L2 cache is written before the timer starts.
 */
import { backward, noGrad } from '../../core/autograd';
import { native } from '../../core/native';
import { scope } from '../../core/scope';
import type { Tensor } from '../../core/tensor';
import { refresh, type Bench, type CacheState, type Launch, type Timing } from './rounds';
import { takeGradients, type Variant } from './variant';

/** One direction of an op: the work that precedes it, the timed run and its results. */
interface Direction<T> {
  before(): void;
  run(): void;
  results(): T;
  /** Frees what a run left. */
  drop(): void;
}

interface Directions {
  forward: Direction<Float32Array>;
  backward: Direction<Record<string, Float32Array>> | null;
  release(): void;
}

const nothing = () => undefined;

/** Takes the gradients from the tensors, which have none afterwards. */
function detachGradients(inputs: Record<string, Tensor>): Record<string, Tensor> {
  const found = Object.entries(inputs).flatMap(([name, t]) => (t.grad ? [[name, t.grad] as const] : []));
  for (const t of Object.values(inputs)) t.grad = null;
  return Object.fromEntries(found);
}

const dropAll = (tensors: Record<string, Tensor>) => Object.values(tensors).forEach((t) => t.dispose());

/** Launches the kernels for each run. Created tensors belong to the caller's scope. */
function launchedDirections({ c, inputs, gy }: Bench, variant: Variant): Directions {
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

/** Records forward and backward. The backward reads what the forward saved, so each replay of it follows one of the forward. */
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

/** Replays recorded graphs; results stay at the addresses used during recording. */
function recordedDirections(bench: Bench, variant: Variant): Directions {
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

/** The number of an untimed round that precedes `round`. */
const untimedRound = (round: number) => -1000 - round;

/**
 * Measures one round. The op first runs on other data: this warms the cache and makes elements that a kernel does not write wrong.
 */
function measure<T>(bench: Bench, d: Direction<T>, round: number, cache: CacheState, launch: Launch) {
  scope(() => {
    refresh(bench, untimedRound(round));
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

/** Prepares a variant for timing on the GPU; `release` frees what it holds. */
export function onGpu(bench: Bench, variant: Variant, cache: CacheState, launch: Launch) {
  const make = launch === 'graph' ? recordedDirections : launchedDirections;
  native.memoryPoison(); // a recording must not reuse results of an earlier mode
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
