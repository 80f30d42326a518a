'use strict';
// Copies the addon built here, stripped of debugging symbols, to prebuilds/<platform>/morphmlp.node.
const { spawnSync } = require('node:child_process');
const { copyFileSync, existsSync, mkdirSync, statSync } = require('node:fs');
const path = require('node:path');
const { cmakeBuild, prebuilt, root } = require('../../native/find_addon.cjs');

if (!existsSync(cmakeBuild)) {
  console.error('build/Release/morphmlp.node is missing: run npm run build:native first');
  process.exit(1);
}
const target = prebuilt();
mkdirSync(path.dirname(target), { recursive: true });
copyFileSync(cmakeBuild, target);
const strip = spawnSync('strip', [process.platform === 'darwin' ? '-x' : '--strip-unneeded', target]);
if (strip.status !== 0) console.log('strip failed: the addon keeps its symbols');
console.log(`${path.relative(root, target)}: ${Math.round(statSync(target).size / 1024)} KiB`);
