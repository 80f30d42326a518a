'use strict';
// Reproducible archive of a folder: sorted names, fixed owner, mode and times, and single-threaded xz, whose blocks depend on
// the number of threads. The xz dictionary spans both libraries, which contain the same kernels; the x86 filter makes calls
// of the same function identical.
const { execFileSync } = require('node:child_process');
const { mkdirSync } = require('node:fs');
const path = require('node:path');

/** Packs PARENT/name into `out` (.tar.xz) with the file time `seconds` (since the epoch) and xz level 0 to 9. */
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
