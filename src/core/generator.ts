import { withLayer, type Layer } from './dispatch';
import type { DropoutFactors } from './kernels';
import type { Operand } from './operand';

/**
 * The random numbers of ops (dropout, drop path): one counter-based generator for the process. Element i of a draw is word
 * i mod 4 of Philox4x32-10 with the counter `offset / 4 + floor(i / 4)` (64 bits in words 0 and 1; words 2 and 3 are 0) and the
 * key `seed` (low, high word). A draw thus depends on its position in the sequence only, not on threads or devices, and a
 * checkpoint needs only two numbers.
 */
export interface RngState {
  /** 0 .. 2^52 - 1 */
  seed: number;
  /** Random words drawn so far, a multiple of 4. */
  offset: number;
}

const MAX_SEED = 2 ** 52;
let state: RngState = { seed: 0, offset: 0 };

function checkState({ seed, offset }: RngState): void {
  if (!Number.isInteger(seed) || seed < 0 || seed >= MAX_SEED) {
    throw new Error(`random seed: expected a whole number from 0 to 2^52 - 1, got ${seed}`);
  }
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % 4 !== 0) {
    throw new Error(`random state: expected an offset that is a multiple of 4, got ${offset}`);
  }
}

/** Seeds the generator and resets its offset to 0. @param seed 0 .. 2^52 - 1 */
export function manualSeed(seed: number): void {
  setRngState({ seed, offset: 0 });
}

/** A copy of the state, for checkpoints. */
export function rngState(): RngState {
  return { ...state };
}

/** Restores a state returned by `rngState`. */
export function setRngState(next: RngState): void {
  checkState(next);
  state = { seed: next.seed, offset: next.offset };
}

/** Reserves `count` random words and returns the state at the first one. */
export function nextRandom(count: number): RngState {
  const first = rngState();
  state.offset += Math.ceil(count / 4) * 4;
  return first;
}

/** A state as four i32, the format of the kernels' `start` argument: seed and offset, low words first. */
export function drawStart({ seed, offset }: RngState): Int32Array {
  return Int32Array.of(seed, seed / 2 ** 32, offset, offset / 2 ** 32);
}

/** A layer that makes draws relative to the state stored in `start` at run time instead of to `from`. */
const drawingFrom = (from: RngState, start: Operand): Layer => ({
  over: ({ launch }) => ({
    launch(kernel, args) {
      if (kernel !== 'dropout_factors') return launch(kernel, args);
      const { seed, offset, ...draw } = args as DropoutFactors;
      launch('dropout_factors', { ...draw, seed: seed - from.seed, offset: offset - from.offset, start });
    },
  }),
});

/** Runs `body` for recording: on replay, draws begin at the state stored in `start`. Returns the number of words `body` draws. */
export function recordDraws(start: Operand, body: () => void): number {
  const from = rngState();
  withLayer(drawingFrom(from, start), body);
  return state.offset - from.offset;
}
