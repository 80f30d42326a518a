'use strict';
/* Charts of benchmarks: shares of the limit by arithmetic intensity, and history over results files. */
(() => {
  const types = (globalThis.chartTypes ??= {});
  const font = () => ({ fontFamily: getComputedStyle(document.body).fontFamily });
  const digits = (v) => String(+v.toPrecision(3));

  /** A tooltip: a heading and rows of name and value, as text. */
  function tip({ element }, head, rows) {
    const node = element('div', 'tip pairs');
    node.append(element('b', '', head));
    for (const [name, value] of rows) node.append(element('span', '', name), element('span', 'value', value));
    return node;
  }

  const axis = (tools, { axisLabel, ...more }) => ({
    axisLabel: { ...tools.label(), hideOverlap: true, ...axisLabel },
    axisLine: { lineStyle: { color: tools.color('--line') } },
    axisTick: { show: false },
    splitLine: { show: true, lineStyle: { color: tools.color('--faint') } },
    nameTextStyle: tools.label(),
    nameLocation: 'middle',
    ...more,
  });

  const GRID = { left: 8, right: 16, top: 18, bottom: 26, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' };

  const line = (tools, at, text) => ({
    ...at,
    label: { formatter: text, position: 'insideEndTop', color: tools.color('--muted'), fontSize: 11 },
  });

  /** Every measurement: multiply-adds a byte against the share of the limit. A series for each variant. */
  types.limits = (spec, tools) => ({
    animation: false,
    textStyle: font(),
    grid: GRID,
    tooltip: {
      ...tools.tooltip(({ seriesIndex, dataIndex }) => {
        const point = spec.series[seriesIndex].points[dataIndex];
        return tip(tools, point.name, point.facts);
      }),
      trigger: 'item',
    },
    xAxis: {
      type: 'log',
      ...axis(tools, {
        axisLabel: { formatter: digits, showMinLabel: false, showMaxLabel: false },
        min: spec.range[0],
        max: spec.range[1],
        name: 'multiply-adds a byte',
        nameGap: 26,
      }),
    },
    yAxis: {
      type: 'value',
      ...axis(tools, { axisLabel: { formatter: (v) => tools.FORMATS.share(v) }, min: 0, max: spec.top }),
    },
    series: spec.series.map(({ name, color, points }, i) => ({
      type: 'scatter',
      name,
      data: points.map((p) => ({
        value: [p.intensity, p.share],
        symbol: p.backward ? 'diamond' : 'circle',
        symbolSize: p.backward ? 11 : 9,
        itemStyle: { color: tools.color(color), opacity: 0.75 },
      })),
      ...(i === 0
        ? {
            markLine: {
              silent: true,
              symbol: 'none',
              lineStyle: { color: tools.color('--muted'), type: [5, 4], width: 1.5 },
              data: [
                line(tools, { yAxis: 1 }, 'the limit of the machine'),
                ...(spec.ridge === null ? [] : [line(tools, { xAxis: spec.ridge }, 'memory | FMA')]),
              ],
            },
          }
        : {}),
    })),
  });

  /** Speed over results files, relative to the first. A series for each op. */
  types.history = (spec, tools) => ({
    animation: false,
    textStyle: font(),
    grid: GRID,
    tooltip: {
      ...tools.tooltip((params) => {
        const at = params[0].dataIndex;
        return tip(
          tools,
          spec.files[at],
          spec.series.filter(({ values }) => values[at] !== null).map(({ name, values }) => [name, digits(values[at])]),
        );
      }),
      trigger: 'axis',
      axisPointer: { lineStyle: { color: tools.color('--muted'), type: 'solid', opacity: 0.5 } },
    },
    xAxis: { type: 'category', data: spec.labels, ...axis(tools, { boundaryGap: false, splitLine: { show: false } }) },
    yAxis: { type: 'value', ...axis(tools, { axisLabel: { formatter: (v) => `${digits(v)}×` }, scale: true }) },
    series: spec.series.map(({ name, color, values }) => ({
      type: 'line',
      name,
      data: values,
      connectNulls: true,
      symbol: 'circle',
      symbolSize: 6,
      itemStyle: { color: tools.color(color) },
      lineStyle: { color: tools.color(color), width: 2 },
    })),
  });
})();
