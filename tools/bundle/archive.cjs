'use strict';
// One archive of a folder, the same bytes for the same files: names sorted, owner, mode and times fixed, and xz in one thread,
// as its blocks depend on the number of threads. Its dictionary spans both libraries, which have the same kernels in them, and its
// filter for x86 makes calls of one function alike.
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
  const xz = `xz -T1 --x86 --lzma2=preset=${level},dict=96MiB`;
  mkdirSync(path.dirname(out), { recursive: true });
  execFileSync('tar', [...order, '--format=gnu', '-I', xz, '-cf', out, '-C', parent, name], { stdio: 'inherit' });
}

module.exports = { pack };
