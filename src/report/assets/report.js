'use strict';
/* Draws the charts of a page and handles its buttons. All data is embedded in the page; its text is set as text, never as markup. */
(() => {
  const specs = JSON.parse(document.getElementById('charts').textContent);
  const charts = new Map();
  const live = document.getElementById('live');
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

  const FORMATS = {
    loss: (v) =>
      v === 0 || (Math.abs(v) >= 1e-3 && Math.abs(v) < 1e4) ? String(+v.toPrecision(4)) : v.toExponential(2),
    share: (v) => `${+(v * 100).toFixed(1)}%`,
    rate: (v) => (v === 0 ? '0' : v.toExponential(2).replace('e-', 'e−').replace('e+', 'e')),
    number: (v) => String(+v.toPrecision(5)),
  };
  const TICKS = {
    ...FORMATS,
    rate: (v) =>
      v === 0
        ? '0'
        : `${+(v / 10 ** Math.floor(Math.log10(v))).toPrecision(3)}e${Math.floor(Math.log10(v))}`.replace('-', '−'),
  };

  const element = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };

  /** The point of a curve that is nearest to x. */
  function nearest(points, x) {
    let [low, high] = [0, points.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (points[middle][0] < x) low = middle;
      else high = middle;
    }
    return !points[high] || Math.abs(points[low][0] - x) <= Math.abs(points[high][0] - x) ? points[low] : points[high];
  }

  /** Labels the position of a reading: `step 1,200 · epoch 3.25`. */
  function place(spec, x) {
    if (spec.xName === 'epoch') return `epoch ${x}`;
    if (spec.xName === 'learning rate') return `learning rate ${x.toExponential(1)}`;
    return `step ${whole.format(x)}${spec.perEpoch ? ` · epoch ${(x / spec.perEpoch).toFixed(2)}` : ''}`;
  }

  const off = (spec) => charts.get(spec.id)?.off ?? new Set();
  const readings = (spec, x) =>
    spec.curves
      .filter((curve) => !off(spec).has(curve.name) && curve.points.length > 0)
      .map((curve) => ({ curve, value: nearest(curve.points, x)[1] }))
      .map(({ curve, value }) => ({ curve, text: value === null ? '–' : FORMATS[spec.kind](value) }));

  function curveTip(spec, x) {
    const tip = element('div', 'tip');
    tip.append(element('b', '', place(spec, x)));
    for (const { curve, text } of readings(spec, x)) {
      tip.append(
        element('i', `swatch c${curve.color}`),
        element('span', '', curve.name),
        element('span', 'value', text),
      );
    }
    return tip;
  }

  function heatTip(spec, [predicted, truth, share, clips]) {
    const tip = element('div', 'tip');
    tip.append(element('b', '', `${spec.names[truth]} → ${spec.names[predicted]}`));
    tip.append(
      element(
        'span',
        '',
        `${whole.format(clips)} ${clips === 1 ? 'clip' : 'clips'}, ${FORMATS.share(share)} of the class`,
      ),
    );
    return tip;
  }

  const tooltip = (formatter) => ({
    formatter,
    confine: true,
    backgroundColor: color('--panel'),
    borderColor: color('--line'),
    padding: [8, 12],
    transitionDuration: 0,
    textStyle: { color: color('--text'), fontSize: 13 },
  });

  const label = () => ({ color: color('--muted'), fontSize: 12 });

  function axes(spec, logarithmic) {
    const last = Math.max(...spec.curves.flatMap(({ points }) => points.slice(-1).map(([x]) => x)));
    const isRate = spec.xName === 'learning rate';
    const first = isRate ? spec.curves[0].points[0][0] : spec.xName === 'epoch' ? 1 : 0;
    return {
      xAxis: {
        type: isRate ? 'log' : 'value',
        min: Math.min(first, last),
        max: last,
        name: spec.xName,
        nameLocation: 'middle',
        nameGap: 26,
        nameTextStyle: label(),
        ...(isRate ? {} : { minInterval: 1 }),
        axisLabel: {
          ...label(),
          hideOverlap: true,
          ...(spec.xName === 'step' ? { showMaxLabel: false } : {}),
          formatter: (v) => (isRate ? v.toExponential(0) : whole.format(v)),
        },
        axisLine: { lineStyle: { color: color('--line') } },
        axisTick: { show: false },
        splitLine: { show: false },
      },
      yAxis: {
        type: logarithmic ? 'log' : 'value',
        min: spec.range?.[0] ?? null,
        max: spec.range?.[1] ?? null,
        axisLabel: { ...label(), formatter: (v) => TICKS[spec.kind](v) },
        axisLine: { show: false },
        axisTick: { show: false },
        splitLine: { lineStyle: { color: color('--faint') } },
      },
    };
  }

  function markOf(spec) {
    if (!spec.mark) return {};
    const { x, y, text } = spec.mark;
    const right = x > 0.8 * Math.max(...spec.curves.map(({ points }) => points.at(-1)?.[0] ?? 0));
    return {
      markPoint: {
        silent: true,
        symbol: 'circle',
        symbolSize: 11,
        itemStyle: { color: color('--panel'), borderColor: color(spec.mark.color), borderWidth: 2.5 },
        label: {
          formatter: text,
          position: spec.range && y > 0.85 * spec.range[1] ? 'bottom' : 'top',
          align: right ? 'right' : 'left',
          distance: 12,
          color: color(spec.mark.color),
          fontWeight: 600,
          fontSize: 12,
        },
        data: [{ coord: [x, y] }],
      },
    };
  }

  function levelOf(spec) {
    if (!spec.level) return {};
    return {
      markLine: {
        silent: true,
        symbol: 'none',
        lineStyle: { color: color('--muted'), type: [2, 4], width: 1 },
        label: { formatter: spec.level.text, position: 'insideEndTop', color: color('--muted'), fontSize: 11 },
        data: [{ yAxis: spec.level.y }],
      },
    };
  }

  function series(spec) {
    const shown = spec.curves.filter((curve) => !off(spec).has(curve.name));
    const marked = (curve, index) => ({
      ...(index === 0 ? levelOf(spec) : {}),
      ...(spec.mark && curve.color === spec.mark.color ? markOf(spec) : {}),
    });
    const behind = shown
      .filter(({ raw }) => raw)
      .map((curve) => ({
        type: 'line',
        name: `${curve.name}, each step`,
        data: curve.raw,
        silent: true,
        showSymbol: false,
        lineStyle: { color: color(curve.color), width: 1, opacity: 0.28 },
      }));
    const front = shown.map((curve, index) => ({
      type: 'line',
      name: curve.name,
      data: curve.points,
      showSymbol: Boolean(curve.dots) && curve.points.length <= 60,
      symbol: 'circle',
      symbolSize: 5,
      itemStyle: { color: color(curve.color) },
      lineStyle: { color: color(curve.color), width: 2 },
      emphasis: { disabled: true },
      ...marked(curve, index),
    }));
    return [...behind, ...front];
  }

  function curveOption(spec, logarithmic) {
    return {
      animation: false,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      grid: { left: 8, right: 16, top: 12, bottom: 22, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
      tooltip: {
        ...tooltip((params) => curveTip(spec, params[0].axisValue)),
        trigger: 'axis',
        axisPointer: { lineStyle: { color: color('--muted'), type: 'solid', opacity: 0.5 } },
      },
      ...axes(spec, logarithmic),
      series: series(spec),
    };
  }

  function heatOption(spec) {
    const itemStyle = spec.names.length <= 60 ? { borderWidth: 1, borderColor: color('--panel') } : {};
    // The square root makes rare mistakes among hundreds of classes visible.
    const layer = (wanted) => ({
      type: 'heatmap',
      data: spec.cells.filter(wanted).map((cell) => [...cell, Math.sqrt(cell[2])]),
      progressive: 0,
      itemStyle,
    });
    const scale = (seriesIndex, name) => ({
      show: false,
      seriesIndex,
      min: 0,
      max: 1,
      dimension: 4,
      inRange: { color: [color(name)], colorAlpha: [0.3, 1] },
    });
    const axis = (name) => ({
      type: 'category',
      data: spec.names,
      name,
      nameLocation: 'middle',
      nameGap: 10,
      nameTextStyle: label(),
      axisLabel: { show: false },
      axisTick: { show: false },
      axisLine: { lineStyle: { color: color('--line') } },
    });
    return {
      animation: false,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      grid: { left: 26, right: 4, top: 4, bottom: 26 },
      tooltip: tooltip((params) => heatTip(spec, params.data)),
      visualMap: [scale(0, '--train'), scale(1, '--wrong')],
      xAxis: axis('predicted class'),
      yAxis: { ...axis('true class'), inverse: true },
      series: [layer(([predicted, truth]) => predicted === truth), layer(([predicted, truth]) => predicted !== truth)],
    };
  }

  /** Tools for a page's own chart types: `globalThis.chartTypes[type] = (spec, tools) => ECharts option`. */
  const tools = { color, element, label, tooltip, whole, FORMATS, TICKS };
  const own = globalThis.chartTypes ?? {};

  function optionOf({ spec, logarithmic }) {
    if (spec.type in own) return own[spec.type](spec, tools);
    return spec.type === 'heat' ? heatOption(spec) : curveOption(spec, logarithmic);
  }

  function draw(state) {
    state.chart.setOption(optionOf(state), { notMerge: true });
  }

  /** Arrow keys, Home and End move a reading along the curve with the most points; Escape removes it. */
  function readByKeys(state, event) {
    const { spec, chart } = state;
    const points = spec.curves.reduce((most, { points: p }) => (p.length > most.length ? p : most), []);
    const last = points.length - 1;
    const at = state.at ?? -1;
    const big = Math.max(1, Math.round(last / 20));
    const moves = { ArrowRight: at + big, ArrowLeft: at - big, Home: 0, End: last };
    if (event.key === 'Escape') chart.dispatchAction({ type: 'hideTip' });
    if (!(event.key in moves) || last < 0) return;
    event.preventDefault();
    state.at = Math.min(last, Math.max(0, moves[event.key]));
    const x = points[state.at][0];
    const [px, py] = [chart.convertToPixel({ xAxisIndex: 0 }, x), chart.getHeight() / 2];
    chart.dispatchAction({ type: 'showTip', x: px, y: py });
    live.textContent = [place(spec, x), ...readings(spec, x).map(({ curve, text }) => `${curve.name} ${text}`)].join(
      ', ',
    );
  }

  /** Key navigation of other charts over `spec.readings`: [series, item, text]. */
  function walkByKeys(state, event) {
    const { spec, chart } = state;
    const last = spec.readings.length - 1;
    const at = state.at ?? -1;
    const moves = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: last };
    if (event.key === 'Escape') chart.dispatchAction({ type: 'hideTip' });
    if (!(event.key in moves) || last < 0) return;
    event.preventDefault();
    state.at = Math.min(last, Math.max(0, moves[event.key]));
    const [seriesIndex, dataIndex, text] = spec.readings[state.at];
    chart.dispatchAction({ type: 'showTip', seriesIndex, dataIndex });
    live.textContent = text;
  }

  function start(spec) {
    const node = document.getElementById(`chart-${spec.id}`);
    if (!node) return;
    const renderer = spec.type === 'heat' && spec.names.length > 60 ? 'canvas' : 'svg';
    const chart = echarts.init(node, null, { renderer });
    const state = { spec, chart, logarithmic: false, off: new Set() };
    charts.set(spec.id, state);
    draw(state);
    new ResizeObserver(() => chart.resize()).observe(node);
    if (spec.type === 'curves') node.addEventListener('keydown', (event) => readByKeys(state, event));
    if (spec.readings) node.addEventListener('keydown', (event) => walkByKeys(state, event));
    node.addEventListener('blur', () => chart.dispatchAction({ type: 'hideTip' }));
  }

  const press = (button) => {
    const pressed = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(pressed));
    return pressed;
  };

  function toggleCurve(button) {
    const state = charts.get(button.dataset.chart);
    if (press(button)) state.off.delete(button.dataset.curve);
    else state.off.add(button.dataset.curve);
    draw(state);
  }

  function toggleLog(button) {
    const state = charts.get(button.dataset.log);
    state.logarithmic = press(button);
    draw(state);
  }

  function sortBy(button) {
    const head = button.closest('th');
    const order = head.getAttribute('aria-sort') === 'ascending' ? 'descending' : 'ascending';
    for (const other of head.parentElement.children)
      if (other.hasAttribute('aria-sort')) other.setAttribute('aria-sort', 'none');
    head.setAttribute('aria-sort', order);
    const body = head.closest('table').tBodies[0];
    const column = [...head.parentElement.children].indexOf(head);
    const text = (row) => row.children[column].textContent.trim();
    const number = (row) => Number(row.children[column].dataset.value);
    const ascending =
      button.dataset.sort === 'number'
        ? (a, b) => number(a) - number(b)
        : (a, b) => text(a).localeCompare(text(b), 'en', { numeric: true });
    const rows = [...body.rows].sort(ascending);
    body.append(...(order === 'ascending' ? rows : rows.reverse()));
  }

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      live.textContent = 'copied';
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = 'Selected';
    }
    setTimeout(() => (button.textContent = 'Copy'), 2000);
  }

  const ANSWERS = { curve: toggleCurve, log: toggleLog, sort: sortBy, copy };
  document.addEventListener('click', ({ target }) => {
    const button = target.closest('button');
    const name = button && Object.keys(ANSWERS).find((key) => key in button.dataset);
    if (name) ANSWERS[name](button);
  });

  /** Marks the current section in the bar at the top. */
  function followScrolling() {
    const links = new Map([...document.querySelectorAll('.bar a')].map((link) => [link.hash.slice(1), link]));
    const visible = new Set();
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) visible[isIntersecting ? 'add' : 'delete'](target.id);
        const current = [...links.keys()].find((id) => visible.has(id));
        for (const [id, link] of links) link.toggleAttribute('aria-current', id === current);
      },
      { rootMargin: '-60px 0px -55% 0px' },
    );
    for (const section of document.querySelectorAll('main > section')) observer.observe(section);
  }

  /** Loads the page of a run that goes on again, at once when it is next looked at if its time has passed unseen. */
  function reloadLater(seconds) {
    setTimeout(() => {
      if (!document.hidden) location.reload();
      else document.addEventListener('visibilitychange', () => location.reload(), { once: true });
    }, 1000 * seconds);
  }

  specs.forEach(start);
  followScrolling();
  const { reloadAfter } = document.documentElement.dataset;
  if (reloadAfter !== undefined) reloadLater(Number(reloadAfter));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => charts.forEach(draw));
  document.documentElement.dataset.ready = 'true';
})();
