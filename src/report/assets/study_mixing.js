'use strict';
/* Highlights the partners, the receptive field or the gradients of a chosen token on the frames. */
(() => {
  const root = document.getElementById('mixing-view');
  if (!root) return;
  const { levels, sensitivities, frames, clip } = JSON.parse(document.getElementById('data-mixing').textContent);
  const { chunkOf } = globalThis.library('study/chunks');
  const { fieldsOf, partnersOf } = globalThis.library('study/receptive_field');
  const get = (name) => root.querySelector(`[data-mixing="${name}"]`);
  const [levelSelect, showSelect, onSelect, grid, reading] = ['level', 'show', 'on', 'grid', 'reading'].map(get);
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const percent = (v) => (v > 0 && v < 0.001 ? 'under 0.1%' : `${+(100 * v).toFixed(1)}%`);
  const images = frames.map((source) => Object.assign(new Image(), { src: source }));
  const state = { level: Number(levelSelect.value), token: 0 };

  const levelNow = () => levels[state.level];
  const sizeNow = () => levelNow().size;
  const partsOf = ([, h, w], token) => [Math.floor(token / (h * w)), Math.floor(token / w) % h, token % w];
  const tokenAt = ([, h, w], [t, y, x]) => (t * h + y) * w + x;
  const measured = () => sensitivities.find((s) => s.level === state.level && s.token === state.token);
  const option = (value, text) => Object.assign(document.createElement('option'), { value, textContent: text });

  /** The views available at a level. */
  function choices({ block }) {
    const own = block
      ? [
          ...Object.keys(block.branches).map((name) => [`partners:${name}`, `partners in the ${name} branch`]),
          ...(block.temporal ? [['partners:time', 'partners in time (MorphFC_t)']] : []),
        ]
      : [];
    return [...own, ['field', 'receptive field'], ['gradient', 'measured gradient']];
  }

  function fill(select, pairs, wished) {
    const value = pairs.some(([v]) => v === wished) ? wished : pairs[0][0];
    select.replaceChildren(...pairs.map(([v, text]) => option(v, text)));
    select.value = value;
  }

  function fillChoices() {
    const given = levelNow().block ? showSelect.value || 'field' : 'field';
    fill(showSelect, choices(levelNow()), given);
    const before = levels.slice(0, state.level + 1).map(({ name }, i) => [String(i), i === 0 ? 'pixels' : name]);
    fill(onSelect, before, onSelect.value || '0');
  }

  function ways() {
    const on = (name) => get(name)?.checked ?? true;
    return {
      branches: [...(on('width') ? ['width', 'strided'] : []), ...(on('height') ? ['height'] : [])],
      time: on('time'),
      weights: on('weights'),
    };
  }

  /** The highlighted cells: values in [0, 1] and their grid size. */
  function lit() {
    const show = showSelect.value;
    if (show === 'gradient') {
      const found = measured();
      if (!found) return { size: sizeNow(), values: partnersOf(levelNow(), state.token, 'nothing'), none: true };
      const values = Float32Array.from(atob(found.map), (c) => c.charCodeAt(0) / 255);
      return { size: found.size, values, heat: true };
    }
    if (show === 'field') {
      const on = Number(onSelect.value);
      return { size: levels[on].size, values: fieldsOf(levels, state.level, state.token, ways())[on] };
    }
    return { size: sizeNow(), values: partnersOf(levelNow(), state.token, show.split(':')[1]) };
  }

  const whole = (n) => n.toLocaleString('en');

  function partnersText(name) {
    const [, h, w] = sizeNow();
    if (name === 'time') return `MorphFC_t takes it with the same position at all ${sizeNow()[0]} time steps.`;
    const cut = levelNow().block.branches[name];
    const { chunk, place } = chunkOf(state.token % (h * w), [h, w], cut);
    const chunks = Math.ceil((h * w) / cut.chunk);
    return `${name} branch: chunk ${chunk + 1} of ${chunks}, place ${place + 1} of ${cut.chunk}. One FC takes the ${cut.chunk} tokens of the chunk together, once for each of ${cut.chunk} groups of channels.`;
  }

  function text({ values, size, none }) {
    const [t, y, x] = partsOf(sizeNow(), state.token);
    const where = `${levelNow().name}, time step ${t + 1}, row ${y + 1}, column ${x + 1}`;
    const show = showSelect.value;
    if (show.startsWith('partners:')) return `${where}. ${partnersText(show.split(':')[1])}`;
    if (show === 'gradient') {
      if (none) return `${where}: no gradient was measured here. “Next measured token” goes to one that was.`;
      const { outside, largest } = measured();
      const alone =
        outside > 0
          ? ` ${percent(outside)} of the squared gradient came through the weights of the branches alone.`
          : '';
      const source = clip === null ? 'a clip of noise' : clip;
      return `${where}: how strongly pixels of ${source} move this token; the brightest by ${largest.toPrecision(3)}.${alone}`;
    }
    const count = values.reduce((a, b) => a + b, 0);
    const what = onSelect.value === '0' ? 'pixels' : `tokens of ${levels[Number(onSelect.value)].name}`;
    const steps = new Set([...values.keys()].filter((i) => values[i]).map((i) => Math.floor(i / (size[1] * size[2]))));
    return `${where}: it can depend on ${whole(count)} of ${whole(values.length)} ${what} (${percent(count / values.length)}), in ${steps.size} of ${size[0]} ${onSelect.value === '0' ? 'frames' : 'time steps'}.`;
  }

  /** Side of a canvas in canvas pixels. */
  const SIDE = 224;

  function rgb(name) {
    const value = color(name);
    return [1, 3, 5].map((i) => parseInt(value.slice(i, i + 2), 16));
  }

  /** A picture of one pixel per cell: highlighted cells are clear or tinted, others dimmed. */
  function mask({ values, size: [, h, w], heat }, step) {
    const canvas = Object.assign(document.createElement('canvas'), { width: w, height: h });
    const context = canvas.getContext('2d');
    const image = context.createImageData(w, h);
    const [tint, ground] = [rgb(heat ? '--val' : '--accent'), rgb('--ground')];
    for (let i = 0; i < h * w; i++) {
      const value = values[step * h * w + i];
      const own = value > 0 && !heat ? [...tint, images.length > 0 ? 45 : 205] : null;
      const warm = heat ? [...tint, Math.round(235 * value)] : null;
      image.data.set(own ?? warm ?? [...ground, images.length > 0 ? 190 : 60], 4 * i);
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }

  function lines(context, h, w) {
    if (Math.max(h, w) > 60) return;
    context.strokeStyle = color('--line');
    context.lineWidth = images.length > 0 ? 0.5 : 1;
    context.globalAlpha = images.length > 0 ? 0.45 : 1;
    context.beginPath();
    for (let i = 1; i < w; i++) context.rect((i * SIDE) / w, 0, 0, SIDE);
    for (let i = 1; i < h; i++) context.rect(0, (i * SIDE) / h, SIDE, 0);
    context.stroke();
    context.globalAlpha = 1;
  }

  function cursor(context) {
    const [, h, w] = sizeNow();
    const [, y, x] = partsOf(sizeNow(), state.token);
    for (const [name, width] of [
      ['--ground', 5],
      ['--val', 2.5],
    ]) {
      context.strokeStyle = color(name);
      context.lineWidth = width;
      context.strokeRect((x * SIDE) / w, (y * SIDE) / h, SIDE / w, SIDE / h);
    }
  }

  /** The clip's frame on which a time step is shown. */
  const frameOf = (step, steps) => images[Math.floor((step * images.length) / steps)];

  function drawStep(canvas, view, step) {
    const [steps, h, w] = view.size;
    const context = canvas.getContext('2d');
    context.imageSmoothingEnabled = true;
    context.fillStyle = color('--faint');
    context.fillRect(0, 0, SIDE, SIDE);
    const frame = frameOf(step, steps);
    if (frame) {
      context.filter = view.heat ? 'grayscale(1) brightness(0.75)' : 'none';
      context.drawImage(frame, 0, 0, SIDE, SIDE);
      context.filter = 'none';
    }
    context.imageSmoothingEnabled = false;
    context.drawImage(mask(view, step), 0, 0, SIDE, SIDE);
    if (!view.heat) lines(context, h, w);
    if (step === stepOf(steps)) cursor(context);
  }

  /** The token's time step, scaled to `steps` shown steps. */
  function stepOf(steps) {
    return Math.floor((partsOf(sizeNow(), state.token)[0] * steps) / sizeNow()[0]);
  }

  function panels(count) {
    while (grid.children.length > count) grid.lastChild.remove();
    while (grid.children.length < count) {
      const figure = document.createElement('figure');
      const canvas = Object.assign(document.createElement('canvas'), { width: SIDE, height: SIDE });
      figure.append(canvas, document.createElement('figcaption'));
      grid.append(figure);
    }
    grid.classList.toggle('single', count === 1);
    return [...grid.children];
  }

  function draw() {
    const view = lit();
    const isPixels = showSelect.value === 'gradient' ? Boolean(view.heat) : view.size === levels[0].size;
    panels(view.size[0]).forEach((figure, step) => {
      drawStep(figure.firstChild, view, step);
      figure.lastChild.textContent = `${isPixels ? 'frame' : 'time step'} ${step + 1}`;
      figure.classList.toggle('here', step === stepOf(view.size[0]));
    });
    const isField = showSelect.value === 'field';
    for (const node of root.querySelectorAll('[data-for="field"]')) node.hidden = !isField;
    reading.textContent = text(view);
    root.dataset.lit = String(view.values.reduce((sum, v) => sum + (v > 0 ? 1 : 0), 0));
    root.dataset.token = String(state.token);
  }

  function middle([t, h, w]) {
    return tokenAt([t, h, w], [Math.floor(t / 2), Math.floor(h / 2), Math.floor(w / 2)]);
  }

  /** Changes the level, keeping the cursor's relative position. */
  function toLevel(level, token) {
    const from = sizeNow();
    const at = partsOf(from, state.token).map((p, i) => (p + 0.5) / from[i]);
    state.level = level;
    state.token =
      token ??
      tokenAt(
        sizeNow(),
        at.map((p, i) => Math.floor(p * sizeNow()[i])),
      );
    levelSelect.value = String(level);
    fillChoices();
    draw();
  }

  function move(deltas) {
    const size = sizeNow();
    const at = partsOf(size, state.token).map((p, i) => Math.min(size[i] - 1, Math.max(0, p + deltas[i])));
    state.token = tokenAt(size, at);
    draw();
  }

  const MOVES = {
    ArrowLeft: [0, 0, -1],
    ArrowRight: [0, 0, 1],
    ArrowUp: [0, -1, 0],
    ArrowDown: [0, 1, 0],
    PageUp: [-1, 0, 0],
    PageDown: [1, 0, 0],
  };
  grid.addEventListener('keydown', (event) => {
    if (!(event.key in MOVES)) return;
    event.preventDefault();
    move(MOVES[event.key]);
  });

  function pick(event) {
    const figure = event.target.closest('figure');
    if (!figure) return;
    const box = figure.firstChild.getBoundingClientRect();
    const steps = grid.children.length;
    const [t, h, w] = sizeNow();
    const within = (share, n) => Math.min(n - 1, Math.max(0, Math.floor(share * n)));
    const at = [
      within(([...grid.children].indexOf(figure) + 0.5) / steps, t),
      within((event.clientY - box.top) / box.height, h),
      within((event.clientX - box.left) / box.width, w),
    ];
    state.token = tokenAt(sizeNow(), at);
    draw();
  }
  grid.addEventListener('pointerdown', pick);
  grid.addEventListener('pointermove', (event) => event.buttons === 1 && pick(event));

  function nextMeasured() {
    const now = sensitivities.indexOf(measured());
    const next = sensitivities[(now + 1) % sensitivities.length];
    showSelect.value = 'gradient';
    toLevel(next.level, next.token);
    showSelect.value = 'gradient';
    draw();
  }
  get('next')?.addEventListener('click', nextMeasured);

  levelSelect.addEventListener('change', () => toLevel(Number(levelSelect.value)));
  for (const node of root.querySelectorAll('select[data-mixing="show"], select[data-mixing="on"], input'))
    node.addEventListener('change', draw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  state.token = middle(sizeNow());
  fillChoices();
  draw();
  Promise.allSettled(images.map((image) => image.decode())).then(() => {
    draw();
    root.dataset.ready = 'true';
  });
})();
