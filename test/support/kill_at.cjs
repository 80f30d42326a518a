/**
 * Preloaded into a program (`node --require`): counts its calls that change files in the folder KILL_FOLDER, and ends it without warning
 * at call KILL_AT, counted from 0: before the call, or in the middle of a write. Writes the names of the calls to KILL_LOG.
 */
const fs = require('node:fs');
const path = require('node:path');

const { KILL_FOLDER, KILL_AT, KILL_LOG } = process.env;
const inside = (name) =>
  path.resolve(String(name)).startsWith(KILL_FOLDER + path.sep) || path.resolve(String(name)) === KILL_FOLDER;
const real = { ...fs };
const open = new Map();
let count = 0;

function called(name, half) {
  if (KILL_LOG) real.appendFileSync(KILL_LOG, `${name}\n`);
  if (count++ !== Number(KILL_AT)) return;
  half?.();
  process.kill(process.pid, 'SIGKILL');
  for (;;); // the signal comes at once
}

fs.openSync = (name, flags, ...rest) => {
  if (inside(name) && flags !== 'r') called(`open ${path.basename(name)}`);
  const fd = real.openSync(name, flags, ...rest);
  if (inside(name)) open.set(fd, path.resolve(String(name)) === KILL_FOLDER ? 'folder' : path.basename(String(name)));
  else open.delete(fd);
  return fd;
};
fs.writeSync = (fd, data, from = 0, length = data.length, ...rest) => {
  if (open.has(fd)) called(`write ${open.get(fd)}`, () => real.writeSync(fd, data, from, length >> 1));
  return typeof data === 'string' ? real.writeSync(fd, data) : real.writeSync(fd, data, from, length, ...rest);
};
fs.fsyncSync = (fd) => {
  if (open.has(fd)) called(`fsync ${open.get(fd)}`);
  return real.fsyncSync(fd);
};
for (const name of ['renameSync', 'linkSync', 'unlinkSync', 'rmSync', 'writeFileSync', 'ftruncateSync']) {
  fs[name] = (first, ...rest) => {
    const what = typeof first === 'number' ? open.get(first) : inside(first) ? path.basename(first) : undefined;
    if (what !== undefined) called(`${name.replace('Sync', '')} ${what}`);
    return real[name](first, ...rest);
  };
}
