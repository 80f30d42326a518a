'use strict';
/* Charts of the cost of ops. Colours of stages are defined in study.css. */
(() => {
  const stageColor = (tools, stage) => tools.color(`--stage-${stage.replace(/\D/g, '') || stage}`);
  const font = () => ({ fontFamily: getComputedStyle(document.body).fontFamily });
  const digits = (v) => String(+v.toPrecision(3));

  /** A tooltip: a heading and rows of name and value, as text. */
  function tip({ element }, head, rows) {
    const node = element('div', 'tip pairs');
    node.append(element('b', '', head));
    for (const [name, value] of rows) node.append(element('span', '', name), element('span', 'value', value));
    return node;
  }

  const axis = (tools, more) => ({
    axisLabel: { ...tools.label(), ...more.axisLabel },
    axisLine: { lineStyle: { color: tools.color('--line') } },
    axisTick: { show: false },
    splitLine: { show: Boolean(more.lines), lineStyle: { color: tools.color('--faint') } },
    nameTextStyle: tools.label(),
    nameLocation: 'middle',
    ...more.options,
  });

  const base = (tools, formatter) => ({
    animation: false,
    textStyle: font(),
    tooltip: { ...tools.tooltip(formatter), trigger: 'item' },
  });

  const types = (globalThis.chartTypes ??= {});

  /** Time of each block: roofline time and excess. */
  types.bars = (spec, tools) => {
    const rows = ({ dataIndex }) => {
      const bar = spec.bars[dataIndex];
      return tip(tools, bar.name, bar.facts);
    };
    const item = (bar, opacity) => ({ color: stageColor(tools, bar.stage), opacity });
    return {
      ...base(tools, rows),
      grid: { left: 8, right: 12, top: 10, bottom: 8, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
      xAxis: {
        type: 'category',
        data: spec.bars.map((bar) => bar.name),
        ...axis(tools, { axisLabel: { rotate: 60, hideOverlap: true } }),
      },
      yAxis: { type: 'value', ...axis(tools, { lines: true, axisLabel: { formatter: (v) => `${v} ms` } }) },
      series: [
        {
          type: 'bar',
          stack: 'time',
          barCategoryGap: '25%',
          data: spec.bars.map((bar) => ({ value: Math.min(bar.floor, bar.ms), itemStyle: item(bar, 1) })),
        },
        {
          type: 'bar',
          stack: 'time',
          data: spec.bars.map((bar) => ({ value: Math.max(0, bar.ms - bar.floor), itemStyle: item(bar, 0.32) })),
        },
      ],
    };
  };

  /** Ops under the roofline. */
  types.roofline = (spec, tools) => {
    const { gflops, gbs, points, range } = spec;
    const ridge = gflops / gbs / 2;
    const roof = [
      [range[0], Math.min(gflops, 2 * range[0] * gbs)],
      [ridge, gflops],
      [range[1], gflops],
    ];
    const log = (more) => ({ type: 'log', ...axis(tools, { lines: true, ...more }) });
    return {
      ...base(tools, ({ seriesIndex, dataIndex }) =>
        seriesIndex === 0 ? null : tip(tools, points[dataIndex].name, points[dataIndex].facts),
      ),
      grid: { left: 26, right: 16, top: 12, bottom: 26, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
      xAxis: log({
        axisLabel: { formatter: digits },
        options: { min: range[0], max: range[1], name: 'multiply-adds a byte', nameGap: 26 },
      }),
      yAxis: log({ axisLabel: { formatter: digits }, options: { name: 'GFLOP/s', nameGap: 40 } }),
      series: [
        {
          type: 'line',
          data: roof,
          symbol: 'none',
          silent: true,
          lineStyle: { color: tools.color('--muted'), width: 1.5, type: [5, 4] },
        },
        {
          type: 'scatter',
          data: points.map((p) => ({
            value: [p.intensity, p.gflops],
            symbolSize: Math.max(5, Math.min(26, 90 * Math.sqrt(p.share))),
            itemStyle: { color: stageColor(tools, p.stage), opacity: 0.7 },
          })),
        },
      ],
    };
  };

  /** Live bytes over a step, marking the op at the peak. */
  types.timeline = (spec, tools) => ({
    ...base(tools, ([{ dataIndex }]) => tip(tools, spec.points[dataIndex].name, spec.points[dataIndex].facts)),
    tooltip: {
      ...tools.tooltip(([{ dataIndex }]) => tip(tools, spec.points[dataIndex].name, spec.points[dataIndex].facts)),
      trigger: 'axis',
    },
    grid: { left: 8, right: 16, top: 26, bottom: 24, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    xAxis: {
      type: 'value',
      min: 0,
      max: spec.ms,
      ...axis(tools, {
        axisLabel: { formatter: digits, showMaxLabel: false },
        options: { name: 'milliseconds', nameGap: 24 },
      }),
    },
    yAxis: { type: 'value', ...axis(tools, { lines: true, axisLabel: { formatter: (v) => `${v} MiB` } }) },
    series: [
      {
        type: 'line',
        step: 'end',
        showSymbol: false,
        data: spec.points.map((p) => [p.at, p.mib]),
        lineStyle: { color: tools.color('--train'), width: 1.5 },
        itemStyle: { color: tools.color('--train') },
        areaStyle: { color: tools.color('--train'), opacity: 0.14 },
        markPoint: {
          silent: true,
          symbol: 'circle',
          symbolSize: 10,
          itemStyle: { color: tools.color('--panel'), borderColor: tools.color('--val'), borderWidth: 2.5 },
          label: {
            formatter: spec.peak.text,
            position: 'top',
            align: spec.peak.at > spec.ms / 2 ? 'right' : 'left',
            distance: 8,
            color: tools.color('--val'),
            fontWeight: 600,
            fontSize: 12,
          },
          data: [{ coord: [spec.peak.at, spec.peak.mib] }],
        },
      },
    ],
  });

  /** Growth of receptive fields by level. */
  types.growth = (spec, tools) => ({
    animation: false,
    textStyle: font(),
    tooltip: {
      ...tools.tooltip((params) =>
        tip(
          tools,
          spec.levels[params[0].dataIndex],
          spec.curves.map((c) => [c.name, tools.FORMATS.share(c.shares[params[0].dataIndex])]),
        ),
      ),
      trigger: 'axis',
    },
    grid: { left: 8, right: 16, top: 12, bottom: 8, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    xAxis: {
      type: 'category',
      data: spec.levels,
      boundaryGap: false,
      ...axis(tools, { axisLabel: { rotate: 60, hideOverlap: true } }),
    },
    yAxis: {
      type: 'value',
      min: 0,
      max: 1,
      ...axis(tools, { lines: true, axisLabel: { formatter: (v) => tools.FORMATS.share(v) } }),
    },
    series: spec.curves.map((c) => ({
      type: 'line',
      name: c.name,
      data: c.shares,
      symbolSize: 5,
      symbol: 'circle',
      itemStyle: { color: tools.color(c.color) },
      lineStyle: { color: tools.color(c.color), width: 2, type: c.dashed ? [6, 4] : 'solid' },
    })),
  });
})();
