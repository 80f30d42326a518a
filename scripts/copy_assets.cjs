'use strict';
// Copies what tsc leaves behind (templates, styles, tables: every file of src/ that is not TypeScript) to dist/.
const { cpSync, existsSync } = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const isAsset = (file) => path.extname(file) === '' || !/\.(ts|cts|mts)$/.test(file);

if (existsSync(path.join(root, 'src')))
  cpSync(path.join(root, 'src'), path.join(root, 'dist'), { recursive: true, filter: isAsset });
