'use strict';
// Copies the assets of reports to dist/report: ECharts and its licence.
const { copyFileSync, mkdirSync } = require('node:fs');
const path = require('node:path');

const FILES = { 'dist/echarts.min.js': 'echarts.min.js', LICENSE: 'echarts.LICENSE', NOTICE: 'echarts.NOTICE' };

function copyAssets() {
  const from = path.dirname(require.resolve('echarts/package.json'));
  const to = path.join(__dirname, '..', '..', 'dist', 'report');
  mkdirSync(to, { recursive: true });
  for (const [source, target] of Object.entries(FILES)) copyFileSync(path.join(from, source), path.join(to, target));
}

module.exports = copyAssets;
if (require.main === module) copyAssets();
