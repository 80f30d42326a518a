'use strict';
/* Picks one of the matrices that mix positions, among small multiples of its stage. */
(() => {
  const root = document.getElementById('matrices-view');
  if (!root) return;
  const matrices = JSON.parse(document.getElementById('data-learned').textContent);
  const get = (name) => root.querySelector(`[data-matrices="${name}"]`);
  const [stageSelect, blockSelect, branchSelect, multiples] = ['stage', 'block', 'branch', 'multiples'].map(get);
  const once = (values) => [...new Set(values)];
  const percent = (v) => `${(100 * v).toFixed(1)}%`;
  const make = (tag, className, text) => Object.assign(document.createElement(tag), { className, textContent: text });
  let chosen = matrices[0];

  const inStage = () => matrices.filter(({ stage }) => stage === chosen.stage);
  const blocks = () => once(inStage().map(({ block }) => block));
  const parts = () => once(inStage().map(({ part }) => part));

  function fill(select, values, value) {
    select.replaceChildren(...values.map((v) => Object.assign(make('option', '', String(v)), { value: v })));
    select.value = value;
  }

  function picture({ image, limit }, name, blocksShown, what) {
    const figure = make('figure', '', '');
    const frame = make('span', 'matrix', '');
    frame.style.setProperty('--blocks', blocksShown);
    frame.append(Object.assign(new Image(), { src: image, alt: `${what} of ${name}` }));
    figure.append(frame, make('figcaption', '', `${what}; full colour from ±${+limit.toPrecision(2)}`));
    return figure;
  }

  function viewOf({ name, positions, size }, { checkpoint, grid, weights }, several) {
    const box = make('div', 'checkpoint', '');
    if (several) box.append(make('h4', '', checkpoint));
    if (grid) box.append(picture(grid, name, positions, `${positions} × ${positions} block norms`));
    if (weights) box.append(picture(weights, name, positions, `${size} × ${size} weights`));
    return box;
  }

  function sentence({ part, positions, channels }, { rms, shares, checkpoint }, several) {
    const who = several ? `${checkpoint}: ` : '';
    if (rms === 0) return `${who}All weights are 0.`;
    if (positions === 1) return `${who}This FC mixes channels of one token, no positions.`;
    const what = part === 'temporal' ? 'time step' : 'position of the chunk';
    return `${who}${positions} × ${positions} blocks of ${channels} × ${channels}. Of the squares, ${percent(shares.own)} are on the same ${what}, ${percent(shares.before)} on earlier ones, ${percent(shares.after)} on later ones.`;
  }

  function thumb(matrix) {
    const cell = make('button', 'thumb', '');
    cell.type = 'button';
    cell.tabIndex = -1;
    cell.setAttribute('aria-pressed', String(matrix === chosen));
    cell.setAttribute('aria-label', matrix.name);
    for (const { grid, weights } of matrix.views) {
      const shown = grid ?? weights;
      cell.append(shown ? Object.assign(new Image(), { src: shown.image, alt: '' }) : make('span', 'none', '–'));
    }
    cell.addEventListener('click', () => choose(matrix));
    return cell;
  }

  function drawMultiples() {
    const columns = parts();
    multiples.style.setProperty('--columns', columns.length);
    const head = ['', ...columns].map((name) => make('span', 'head', name));
    const rows = blocks().flatMap((block) => [
      make('span', 'head', block),
      ...columns.map((part) => thumb(inStage().find((one) => one.block === block && one.part === part))),
    ]);
    multiples.replaceChildren(...head, ...rows);
  }

  function choose(matrix) {
    chosen = matrix;
    fill(stageSelect, once(matrices.map(({ stage }) => stage)), chosen.stage);
    fill(blockSelect, blocks(), chosen.block);
    fill(branchSelect, parts(), chosen.part);
    drawMultiples();
    const several = chosen.views.length > 1;
    get('reading').textContent =
      `${chosen.name}. ${chosen.views.map((view) => sentence(chosen, view, several)).join(' ')}`;
    get('chosen').replaceChildren(...chosen.views.map((view) => viewOf(chosen, view, several)));
  }

  /** The matrix of a block and a branch, or the first of the stage that has the branch, or the first. */
  function find(stage, block, part) {
    const own = matrices.filter((one) => one.stage === stage);
    const same = own.filter((one) => one.block === block);
    return same.find((one) => one.part === part) ?? same[0] ?? own.find((one) => one.part === part) ?? own[0];
  }

  stageSelect.addEventListener('change', () => choose(find(Number(stageSelect.value), '', chosen.part)));
  blockSelect.addEventListener('change', () => choose(find(chosen.stage, blockSelect.value, chosen.part)));
  branchSelect.addEventListener('change', () => choose(find(chosen.stage, chosen.block, branchSelect.value)));

  const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  multiples.addEventListener('keydown', (event) => {
    const move = MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    const bounded = (list, value, by) => list[Math.min(list.length - 1, Math.max(0, list.indexOf(value) + by))];
    choose(find(chosen.stage, bounded(blocks(), chosen.block, move[0]), bounded(parts(), chosen.part, move[1])));
  });
  choose(chosen);
})();
