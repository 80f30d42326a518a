'use strict';
/* MorphFC in five steps on a token that the reader chooses. The index functions are the library's. */
(() => {
  const root = document.getElementById('steps-view');
  if (!root) return;
  const { config, crop } = JSON.parse(document.getElementById('data-network').textContent);
  const { chunkOf } = globalThis.library('study/chunks');
  const { levelsOf } = globalThis.library('study/receptive_field');
  const { temporalGroups } = globalThis.library('models/config');
  const { ablationOf, groupScale } = globalThis.library('models/ablation');
  const get = (name) => root.querySelector(`[data-steps="${name}"]`);
  const [view, stageSelect, waySelect, tokenInput, groupInput] = ['view', 'stage', 'way', 'token', 'group'].map(get);
  const play = get('play');
  const levels = levelsOf(config, crop);
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  const range = (n) => Array.from({ length: n }, (_, i) => i);
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const state = { step: 0, timer: 0 };
  const CELL = 30;

  /** The chosen stage: its grid, channels and cuts. */
  function place() {
    const stage = Number(stageSelect.value);
    const level = levels.find((one) => one.stage === stage && one.block);
    const [t, h, w] = level.size;
    return { stage, t, h, w, channels: config.embedDims[stage - 1], cuts: level.block.branches };
  }

  /** The tokens of a frame that share a chunk with `token`, in the order of their places in it. */
  function chunkTokens(token, { h, w }, cut) {
    const own = chunkOf(token, [h, w], cut).chunk;
    const at = range(h * w).map((n) => ({ n, ...chunkOf(n, [h, w], cut) }));
    return at
      .filter(({ chunk }) => chunk === own)
      .sort((a, b) => a.place - b.place)
      .map(({ n }) => n);
  }

  /** What one FC mixes: members of a row, the reader's place among them, and the groups of channels. */
  function rowOf(token, way, at) {
    const { t, channels, cuts } = at;
    if (way === 'channel') return { members: [token], own: 0, groups: 1, length: 1 };
    if (way === 'time') {
      const groups = temporalGroups(channels, t);
      return { members: range(t), own: 0, groups, length: t, time: true };
    }
    const cut = cuts[way];
    const { chunk, place: own } = chunkOf(token, [at.h, at.w], cut);
    const scale = groupScale(ablationOf(config), at.stage - 1);
    return { members: chunkTokens(token, at, cut), own, chunk, groups: cut.chunk / scale, length: cut.chunk, cut };
  }

  const bounded = (input, count) => {
    const value = Math.min(count - 1, Math.max(0, Math.trunc(Number(input.value)) || 0));
    input.max = String(count - 1);
    return value;
  };

  /** Offers the ways of the stage: only stage 4 has strided chunks. */
  function offerWays() {
    const { cuts } = place();
    for (const option of waySelect.options) {
      const given = ['channel', 'time'].includes(option.value) || option.value in cuts;
      option.hidden = option.disabled = !given;
    }
    if (waySelect.selectedOptions[0]?.disabled ?? true)
      waySelect.value = [...waySelect.options].find((option) => !option.disabled).value;
  }

  const list = (numbers) =>
    numbers.length <= 16 ? numbers.join(', ') : `${numbers.slice(0, 6).join(', ')}, …, ${numbers.slice(-3).join(', ')}`;

  function order({ token, way, at }) {
    const { h, w } = at;
    const [y, x] = [Math.floor(token / w), token % w];
    const where = `Token ${token} is in row ${y}, column ${x} of the ${h} × ${w} grid.`;
    if (way === 'time') return `${where} MorphFC_t takes this place at all ${at.t} time steps.`;
    if (way === 'height')
      return `${where} Read column by column its number is n = w·H + h = ${x}·${h} + ${y} = ${x * h + y}.`;
    return `${where} Read row by row its number is n = h·W + w = ${y}·${w} + ${x} = ${token}.`;
  }

  function chunkText({ token, way, at, row }) {
    if (way === 'channel') return `The channel branch has no chunks: the row is token ${token} alone.`;
    if (way === 'time') return `The row has ${at.t} members: token ${token} at time steps 0 to ${at.t - 1}.`;
    const chunks = Math.ceil((at.h * at.w) / row.length);
    const short = row.length - row.members.length;
    const pad = short > 0 ? ` ${short} places at its end are padding.` : '';
    return `Chunk ${row.chunk} of ${chunks} (L = ${row.length}), place l = ${row.own}. It has the tokens ${list(row.members)}.${pad}`;
  }

  const groupSize = ({ at, row }) => at.channels / row.groups;

  function groupText(now) {
    const { at, row, group } = now;
    const size = groupSize(now);
    const span = `channels ${group * size} to ${(group + 1) * size - 1}`;
    return `Group ${group} of ${row.groups}: ${span} (S = ${at.channels} / ${row.groups} = ${size}). ${row.length} × ${size} = ${row.length * size} numbers make one row v.`;
  }

  function fcText(now) {
    const size = row1(now);
    const [uses, { at, row, way }] = [usesOf(now), now];
    const from = way === 'channel' ? 'all channels of the token' : `all ${row.members.length} members of the row`;
    return `One FC with ${size} × ${size} weights and ${size} biases turns v into v′: each number of v′ depends on ${from}. The same weights serve ${uses.toLocaleString('en')} rows of a clip, which is ${(uses * size * size).toLocaleString('en')} multiply-adds in stage ${at.stage}’s block.`;
  }

  const row1 = (now) => now.row.length * groupSize(now);
  function usesOf({ at, row, way }) {
    const frame = at.h * at.w;
    if (way === 'channel') return at.t * frame;
    return way === 'time' ? frame * row.groups : at.t * Math.ceil(frame / row.length) * row.groups;
  }

  function backText(now) {
    const { token, row, group } = now;
    const size = groupSize(now);
    const first = (row.time ? 0 : row.own) * size;
    return `The numbers go back to where they came from: token ${token}${row.time ? ' at time step 0' : ''} gets v′[${first}] to v′[${first + size - 1}] as its channels ${group * size} to ${(group + 1) * size - 1}. All ${row.groups} groups together give it all channels.`;
  }

  const TEXTS = [order, chunkText, groupText, fcText, backText];

  /** Every way at once, in words: the tokens with which the chosen one is mixed in one block. */
  function answer({ token, at }) {
    const ways = Object.entries(at.cuts).map(
      ([name, cut]) => `along ${name} with ${list(chunkTokens(token, at, cut))}`,
    );
    const time =
      config.kind === 'video' ? ` MorphFC_t comes first, so it meets all of them at all ${at.t} time steps.` : '';
    return `In one block, token ${token} of stage ${at.stage} mixes ${ways.join('; ')}.${time}`;
  }

  /** Side of the frame, and the corner of the free area beside it or, on a narrow page, below it. */
  function panes() {
    const width = view.clientWidth;
    const narrow = width < 560;
    const side = Math.min(220, width);
    return { side, left: narrow ? 0 : side + 40, top: narrow ? side + 24 : 0, width };
  }

  /** Position, size and band of a member at a step. */
  function spot(i, { members, time }, { at, token, step }, { side, left, top, width }) {
    const cell = side / Math.max(at.h, at.w);
    const n = time ? token : members[i];
    const deck = time ? 5 * i : 0;
    if (step === 0 || step === 4)
      return { x: (n % at.w) * cell + deck, y: Math.floor(n / at.w) * cell + deck, w: cell, h: cell };
    const line = Math.max(1, Math.floor((width - left) / (CELL + 3)));
    const height = step === 2 ? 2 * CELL : CELL;
    return {
      ...{ x: left + (i % line) * (CELL + 3), y: top + 22 + Math.floor(i / line) * (height + 6) },
      ...{ w: CELL, h: height },
    };
  }

  function drawFrame(canvas, { at, row, token, step }, side) {
    const scale = devicePixelRatio || 1;
    canvas.width = canvas.height = side * scale;
    canvas.style.width = canvas.style.height = `${side}px`;
    const context = canvas.getContext('2d');
    context.scale(scale, scale);
    const cell = side / Math.max(at.h, at.w);
    const lit = new Set(row.time ? [token] : row.members);
    const gap = cell > 6 ? 1 : 0.3;
    const across = waySelect.value === 'height';
    for (const n of range(at.h * at.w)) {
      const [y, x] = [Math.floor(n / at.w), n % at.w];
      const read = across ? x * at.h + y : n;
      context.fillStyle = color(lit.has(n) ? '--val' : '--muted');
      context.globalAlpha = lit.has(n) ? (step > 0 && step < 4 ? 0.45 : 0.9) : 0.12 + (0.4 * read) / (at.h * at.w);
      context.fillRect(x * cell, y * cell, cell - gap, cell - gap);
    }
    context.globalAlpha = 1;
    context.strokeStyle = color('--text');
    context.lineWidth = 2;
    context.strokeRect((token % at.w) * cell, Math.floor(token / at.w) * cell, cell, cell);
  }

  const make = (tag, className) => Object.assign(document.createElement(tag), { className });
  const canvas = view.appendChild(make('canvas', ''));
  const caption = view.appendChild(make('span', 'pane-name'));
  const matrix = view.appendChild(make('span', 'fc-matrix'));
  const cells = [];

  function drawCells(now, area) {
    const { row, step, token, group } = now;
    while (cells.length > row.members.length) cells.pop().remove();
    while (cells.length < row.members.length) cells.push(view.appendChild(make('i', 'member')));
    let bottom = area.side;
    cells.forEach((node, i) => {
      const { x, y, w, h } = spot(i, row, now, area);
      bottom = Math.max(bottom, y + h);
      node.textContent = w < 18 ? '' : row.time ? `t${i}` : String(row.members[i]);
      node.classList.toggle('own', row.time ? i === 0 : row.members[i] === token);
      node.classList.toggle('mixed', step >= 3);
      node.style.cssText = `transform:translate(${x}px,${y}px);width:${w - 1}px;height:${h - 1}px;--from:${(100 * group) / row.groups}%;--to:${(100 * (group + 1)) / row.groups}%`;
      node.classList.toggle('grouped', step === 2);
    });
    return bottom;
  }

  const CAPTIONS = ['', 'the chunk', 'one group of channels of each', 'the row v′, after the FC', ''];

  function drawMatrix({ row, step, ...now }, { left }, bottom) {
    matrix.hidden = step !== 3;
    if (step !== 3) return bottom;
    const size = row1({ row, ...now });
    matrix.style.cssText = `left:${left}px;top:${bottom + 30}px;--blocks:${Math.min(row.length, 56)};--row:${row.own}`;
    matrix.dataset.label = `W: ${size} × ${size}; marked: what makes place ${row.own}`;
    return bottom + 30 + 120;
  }

  function now() {
    const at = place();
    const token = bounded(tokenInput, at.h * at.w);
    const row = rowOf(token, waySelect.value, at);
    return { at, token, way: waySelect.value, row, group: bounded(groupInput, row.groups), step: state.step };
  }

  function draw() {
    offerWays();
    const [current, area] = [now(), panes()];
    drawFrame(canvas, current, area.side);
    const bottom = drawCells(current, area);
    caption.textContent = current.row.time && current.step === 1 ? 'the time steps' : CAPTIONS[current.step];
    caption.style.cssText = `left:${area.left}px;top:${area.top}px`;
    view.style.height = `${drawMatrix(current, area, bottom) + 8}px`;
    get('reading').textContent = TEXTS[current.step](current);
    get('answer').textContent = answer(current);
    for (const button of root.querySelectorAll('[data-step]')) {
      if (Number(button.dataset.step) === state.step) button.setAttribute('aria-current', 'step');
      else button.removeAttribute('aria-current');
    }
    for (const node of root.querySelectorAll('[data-formulas]')) node.hidden = node.dataset.formulas !== current.way;
    root.dataset.members = current.row.members.join(' ');
  }

  function toStep(step) {
    state.step = Math.min(4, Math.max(0, step));
    draw();
  }

  function stop() {
    clearInterval(state.timer);
    state.timer = 0;
    play.setAttribute('aria-pressed', 'false');
    play.textContent = 'Play';
  }

  function togglePlay() {
    if (state.timer) return stop();
    play.setAttribute('aria-pressed', 'true');
    play.textContent = 'Stop';
    if (state.step === 4) toStep(0);
    state.timer = setInterval(() => (state.step === 4 ? stop() : toStep(state.step + 1)), 2200);
  }

  function toToken(token) {
    tokenInput.value = String(token);
    draw();
  }

  const KEYS = {
    ArrowRight: () => toStep(state.step + 1),
    ArrowLeft: () => toStep(state.step - 1),
    ArrowUp: () => toToken(now().token + 1),
    ArrowDown: () => toToken(now().token - 1),
    Home: () => toStep(0),
    End: () => toStep(4),
    ' ': () => still.matches || togglePlay(),
  };
  view.addEventListener('keydown', (event) => {
    if (!(event.key in KEYS)) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  view.addEventListener('pointerdown', ({ clientX, clientY }) => {
    const [{ at }, box] = [now(), canvas.getBoundingClientRect()];
    const cell = box.width / Math.max(at.h, at.w);
    const [x, y] = [Math.floor((clientX - box.left) / cell), Math.floor((clientY - box.top) / cell)];
    if (x >= 0 && y >= 0 && x < at.w && y < at.h) toToken(y * at.w + x);
  });
  root.addEventListener('click', ({ target }) => {
    const { step } = target.dataset;
    if (step !== undefined) toStep(Number(step));
  });
  get('back').addEventListener('click', () => toStep(state.step - 1));
  get('next').addEventListener('click', () => toStep(state.step + 1));
  play.addEventListener('click', togglePlay);
  const followMotion = () => {
    play.hidden = still.matches;
    if (still.matches) stop();
  };
  still.addEventListener('change', followMotion);
  for (const node of [stageSelect, waySelect, tokenInput, groupInput]) node.addEventListener('input', draw);
  for (const node of [tokenInput, groupInput])
    node.addEventListener('change', () => (node.value = String(bounded(node, Number(node.max) + 1))));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  new ResizeObserver(draw).observe(root);
  followMotion();
  draw();
})();
