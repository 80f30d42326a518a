'use strict';
// Puts the addon built here, without its debugging symbols, where the package carries it: prebuilds/<platform>/morphmlp.node.
const { spawnSync } = require('node:child_process');
const { copyFileSync, existsSync, mkdirSync, statSync } = require('node:fs');
const path = require('node:path');
const { cmakeBuild, prebuilt, root } = require('../install/find_addon.cjs');

if (!existsSync(cmakeBuild)) {
  console.error('there is no build/Release/morphmlp.node to pack: run npm run build:native first');
  process.exit(1);
}
const target = prebuilt();
mkdirSync(path.dirname(target), { recursive: true });
copyFileSync(cmakeBuild, target);
const strip = spawnSync('strip', [process.platform === 'darwin' ? '-x' : '--strip-unneeded', target]);
if (strip.status !== 0) console.log('strip did not work here: the symbols stay in');
console.log(`${path.relative(root, target)}: ${Math.round(statSync(target).size / 1024)} KiB`);
