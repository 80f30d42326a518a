'use strict';
/* Costs of a changed network, computed by the library's own functions. */
(() => {
  const types = (globalThis.chartTypes ??= {});

  /** Accuracy over multiply-adds, a series for each data set. */
  types.accuracy = (spec, tools) => {
    const axis = (name, more) => ({
      ...{ name, nameLocation: 'middle', nameTextStyle: tools.label(), axisTick: { show: false } },
      ...{ axisLine: { lineStyle: { color: tools.color('--line') } } },
      ...{ splitLine: { lineStyle: { color: tools.color('--faint') } }, ...more },
    });
    return {
      animation: false,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      tooltip: {
        ...tools.tooltip(({ seriesIndex, dataIndex }) => {
          const { name, points } = spec.series[seriesIndex];
          const { gmacs, top1, ...point } = points[dataIndex];
          const node = tools.element('div', 'tip pairs');
          node.append(tools.element('b', '', `${name}: ${point.name}`));
          for (const [key, value] of [
            ['top-1', `${+top1.toFixed(1)}%`],
            ['GMACs', +gmacs.toPrecision(4)],
          ])
            node.append(tools.element('span', '', key), tools.element('span', 'value', value));
          return node;
        }),
        trigger: 'item',
      },
      grid: { left: 26, right: 16, top: 12, bottom: 26, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
      xAxis: { type: 'log', ...axis('GMACs over all views', { nameGap: 26, axisLabel: tools.label() }) },
      yAxis: {
        type: 'value',
        scale: true,
        ...axis('', { axisLabel: { ...tools.label(), formatter: (v) => `${v}%` } }),
      },
      series: spec.series.map(({ name, color, points }) => ({
        ...{ type: 'scatter', name, symbolSize: 11, data: points.map((p) => [p.gmacs, p.top1]) },
        ...{ itemStyle: { color: tools.color(color) } },
      })),
    };
  };

  const root = document.getElementById('what-if-view');
  if (!root) return;
  const { config, crop, measured, switches } = JSON.parse(document.getElementById('data-what-if').textContent);
  const { changedConfig, stageShapes, unchanged, whatIf } = globalThis.library('study/what_if');
  const { VARIANTS } = globalThis.library('models/config');
  const get = (name) => root.querySelector(`[data-what="${name}"]`);
  const STAGES = [1, 2, 3, 4];

  const baseOf = () => {
    const variant = VARIANTS[get('base').value];
    return variant ? { config: variant.config, size: variant.crop } : { config, size: crop };
  };
  const divisors = (n) => Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);

  function change() {
    const { config: base } = baseOf();
    return {
      chunks: STAGES.map((stage, i) => divisors(base.embedDims[i])[Number(get(`chunk${stage}`).value)]),
      ...{ width: Number(get('width').value), frames: Number(get('frames').value), size: Number(get('size').value) },
      groupDim: ['C/2L', 'C/L', '2C/L'][Number(get('groups').value)],
      ...{ branches: get('branches').value, weighting: get('weighting').value, spatial: get('spatial').value },
    };
  }

  /** Moves all controls to the unchanged network. */
  function reset() {
    const { config: base, size } = baseOf();
    const same = unchanged(base, size);
    STAGES.forEach((stage, i) => {
      const all = divisors(base.embedDims[i]);
      const input = get(`chunk${stage}`);
      Object.assign(input, { min: 0, max: all.length - 1, step: 1, value: all.indexOf(same.chunks[i]) });
    });
    get('groups').value = ['C/2L', 'C/L', '2C/L'].indexOf(same.groupDim);
    for (const name of ['width', 'frames', 'size', 'branches', 'weighting', 'spatial']) get(name).value = same[name];
    get('frames').disabled = base.kind !== 'video';
    draw();
  }

  const UNITS = ['', 'K', 'M', 'G', 'T'];
  function scaled(value, step = 1000, suffix = '') {
    let power = 0;
    for (let rest = value; rest >= step * 0.9995 && power < 4; power++) rest /= step;
    return `${+(value / step ** power).toPrecision(4)} ${UNITS[power]}${step === 1024 && power ? 'i' : ''}${suffix}`.trim();
  }
  const ms = (value) => (value === null ? 'not measured' : `${+value.toPrecision(3)} ms`);
  const TEXT = {
    params: (v) => scaled(v),
    macs: (v) => scaled(v, 1000, 'MACs'),
    bytes: (v) => scaled(v, 1024, 'B'),
    ms,
  };

  function show(all, before) {
    for (const key of Object.keys(TEXT)) {
      const out = root.querySelector(`[data-out="${key}"]`);
      out.textContent = TEXT[key](all[key]);
      out.dataset.value = String(all[key]);
      const same = all[key] === before[key];
      const times = before[key] ? `${+(all[key] / before[key]).toPrecision(3)}× of ${TEXT[key](before[key])}` : '';
      const least = key === 'ms' && all.floorMs !== null ? `; at least ${ms(all.floorMs)}` : '';
      root.querySelector(`[data-note="${key}"]`).textContent = `${same ? 'as it is' : times}${least}`;
    }
  }

  const cell = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });

  function fill(shapes, stages) {
    const rows = shapes.map(({ stage, size, channels, chunk, group, chunks, padding }) => {
      const { params, macs, ms: time } = stages[stage];
      const row = document.createElement('tr');
      const name = cell('th', `stage ${stage}`);
      name.scope = 'row';
      row.append(
        name,
        cell('td', size.join(' × ')),
        cell('td', channels),
        cell('td', chunk),
        cell('td', +group.toFixed(2)),
      );
      row.append(cell('td', chunks), cell('td', padding > 0 ? `${(100 * padding).toFixed(1)}%` : '0'));
      row.append(cell('td', scaled(params)), cell('td', (macs / 1e9).toFixed(3)));
      row.append(cell('td', time === null ? '–' : +time.toPrecision(3)));
      return row;
    });
    root.querySelector('tbody').replaceChildren(...rows);
  }

  function labels({ chunks, width, frames, size, groupDim }) {
    const texts = { width, frames, size, groups: groupDim };
    STAGES.forEach((stage, i) => (texts[`chunk${stage}`] = chunks[i]));
    for (const [name, text] of Object.entries(texts)) {
      root.querySelector(`[data-shown="${name}"]`).textContent = String(text);
      get(name).setAttribute('aria-valuetext', String(text));
    }
  }

  /** Switches that the chosen spatial part does not have go back to those of the published network, and are disabled. */
  function restrict() {
    const spatial = get('spatial').value;
    const idle = { morph_fc: [], group_conv: ['groups'] }[spatial] ?? ['groups', 'branches', 'weighting'];
    for (const name of ['groups', 'branches', 'weighting']) {
      get(name).disabled = idle.includes(name);
      if (idle.includes(name)) get(name).value = name === 'groups' ? 1 : switches[name][0];
    }
  }

  function draw() {
    restrict();
    const base = baseOf();
    const wanted = change();
    labels(wanted);
    const refused = get('refused');
    try {
      const changed = changedConfig(base.config, wanted);
      const { all, stages } = whatIf(base.config, wanted, measured ?? undefined);
      const before = whatIf(base.config, unchanged(base.config, base.size), measured ?? undefined).all;
      show(all, before);
      fill(stageShapes(changed, wanted.size), stages);
      const { size } = stageShapes(changed, wanted.size)[0];
      get('reading').textContent =
        `${scaled(all.params)} parameters, ${scaled(all.macs, 1000, 'MACs')} for one clip; stage 1 has ${size.join(' × ')} tokens of ${changed.embedDims[0]} channels, and one FC mixes ${wanted.chunks[0]} of them.`;
      refused.hidden = true;
    } catch (error) {
      refused.textContent = error.message;
      refused.hidden = false;
    }
  }

  get('base').addEventListener('change', reset);
  get('reset').addEventListener('click', reset);
  for (const node of root.querySelectorAll('.sliders input, .sliders select:not([data-what="base"])'))
    node.addEventListener('input', draw);
  reset();
})();
