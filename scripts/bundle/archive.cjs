'use strict';
// One archive of a folder, the same bytes for the same files: names sorted, owner, mode and times fixed, and xz cuts blocks of a
// fixed size, so that the number of its threads leaves no trace.
const { execFileSync } = require('node:child_process');
const { mkdirSync } = require('node:fs');
const path = require('node:path');

/** Packs PARENT/name into `out` (.tar.xz), all files with the time `seconds`, at level 0 to 9 of xz. */
function pack(parent, name, out, seconds, level) {
  const order = [
    '--sort=name',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mode=u+rw,go=rX',
    `--mtime=@${seconds}`,
  ];
  const xz = `xz -${level} -T2 --block-size=24MiB`;
  mkdirSync(path.dirname(out), { recursive: true });
  execFileSync('tar', [...order, '--format=gnu', '-I', xz, '-cf', out, '-C', parent, name], { stdio: 'inherit' });
}

module.exports = { pack };
