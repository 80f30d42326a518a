'use strict';
/** A deterministic generator (mulberry32): `below(n)` is a whole number from 0 to n - 1. */
exports.random = (seed) => {
  let state = seed >>> 0;
  const unit = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(unit() * n);
  return { below, chance: (p) => unit() < p, pick: (list) => list[below(list.length)] };
};
