'use strict';
/* Chunks and receptive fields for the page, like src/study/receptive_field.ts; a test compares the two. */
globalThis.studyFields = (() => {
  function chunkOf(token, [h, w], { axis, chunk, order }) {
    const n = axis === 'width' ? token : (token % w) * h + Math.floor(token / w);
    if (order === 'consecutive') return { chunk: Math.floor(n / chunk), place: n % chunk };
    const chunks = Math.ceil((h * w) / chunk);
    return { chunk: n % chunks, place: Math.floor(n / chunks) };
  }

  function withChunks(field, [t, h, w], cuts) {
    const [out, area] = [field.slice(), h * w];
    for (const cut of cuts) {
      const chunks = Array.from({ length: area }, (_, token) => chunkOf(token, [h, w], cut).chunk);
      for (let step = 0; step < t; step++) {
        const reached = new Set(chunks.filter((_, token) => field[step * area + token]));
        chunks.forEach((chunk, token) => reached.has(chunk) && (out[step * area + token] = 1));
      }
    }
    return out;
  }

  function withTimes(field, [t, h, w]) {
    const area = h * w;
    return field.map((_, i) => {
      for (let step = 0; step < t; step++) if (field[step * area + (i % area)]) return 1;
      return 0;
    });
  }

  function throughBlock(field, { size, block }, { branches, time = true, weights = false }) {
    if (weights) return new Uint8Array(field.length).fill(1);
    const cuts = Object.entries(block.branches).flatMap(([name, cut]) =>
      !branches || branches.includes(name) ? [cut] : [],
    );
    const mixed = withChunks(field, size, cuts);
    return block.temporal && time ? withTimes(mixed, size) : mixed;
  }

  function span({ kernel, stride, padding, size }, dim, i) {
    const first = i * stride[dim] - padding[dim];
    return [Math.max(0, first), Math.min(size[dim], first + kernel[dim])];
  }

  function throughWindow(field, [t, h, w], window) {
    const [T, H, W] = window.size;
    const out = new Uint8Array(T * H * W);
    for (let i = 0; i < t * h * w; i++) {
      if (!field[i]) continue;
      const [t0, t1] = span(window, 0, Math.floor(i / (h * w)));
      const [y0, y1] = span(window, 1, Math.floor(i / w) % h);
      const [x0, x1] = span(window, 2, i % w);
      for (let a = t0; a < t1; a++)
        for (let y = y0; y < y1; y++) out.fill(1, (a * H + y) * W + x0, (a * H + y) * W + x1);
    }
    return out;
  }

  function back(field, level, ways) {
    if (level.block) return throughBlock(field, level, ways);
    let [now, size] = [field, level.size];
    for (const window of level.windows) [now, size] = [throughWindow(now, size, window), window.size];
    return now;
  }

  /** The receptive fields of a token at its level and every earlier level, input first. */
  function fieldsOf(levels, at, token, ways = {}) {
    const start = new Uint8Array(levels[at].size.reduce((a, b) => a * b, 1));
    start[token] = 1;
    const fields = [start];
    for (let i = at; i > 0; i--) fields.unshift(back(fields[0], levels[i], ways));
    return fields;
  }

  /** The tokens that one FC mixes with this one: those of its chunk in a branch, or its position at all time steps. */
  function partnersOf({ size, block }, token, way) {
    const start = new Uint8Array(size.reduce((a, b) => a * b, 1));
    start[token] = 1;
    if (way === 'time') return withTimes(start, size);
    return block.branches[way] ? withChunks(start, size, [block.branches[way]]) : start;
  }

  return { chunkOf, fieldsOf, partnersOf };
})();
