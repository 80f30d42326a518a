'use strict';
// Runs steps within a time budget, each with its own limit. After each step the results so far are written, so that what
// happens later loses nothing.
const { spawn, spawnSync } = require('node:child_process');
const { closeSync, copyFileSync, existsSync, openSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const path = require('node:path');

/**
 * A step: { name, limit, commands, skip, background, after, parallel, show }.
 *   limit       seconds for all its commands together
 *   commands    [{ command, env, limit }], run one after another, or `parallel` at a time
 *   skip        reason why it does not run
 *   background  true: later steps do not wait for it, except those that name it in `after`
 *   show        lines(logText) for the summary; default: the last lines of the log if the step did not pass
 */

const now = () => performance.now() / 1000;

/** Kills the process group of a child; what it started in the background ends too. */
function killGroup(child) {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // it has ended
  }
}

/** Runs a command for at most `limit` seconds, its output appended to the file `log`. Resolves to its record. */
function runLimited({ command, env = {} }, { log, limit, cwd, running }) {
  const since = now();
  const fd = openSync(log, 'a');
  writeFileSync(fd, `\n$ ${command.join(' ')}\n`);
  return new Promise((resolve) => {
    const options = { cwd, env: { ...process.env, ...env }, stdio: ['ignore', fd, fd], detached: true };
    const child = spawn(command[0], command.slice(1), options);
    closeSync(fd);
    running.add(child);
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child);
    }, limit * 1000);
    const end = (exit, note) => {
      clearTimeout(timer);
      killGroup(child);
      running.delete(child);
      resolve({ command, exit, timedOut, seconds: now() - since, ...(note ? { note } : {}) });
    };
    child.on('error', (error) => end(null, error.message));
    child.on('exit', (exit, signal) => end(exit, signal && !timedOut ? `ended by ${signal}` : undefined));
  });
}

/** Runs the commands, `parallel` at a time, until `deadline`. Commands that no time is left for are not started. */
async function runCommands({ commands, parallel = 1 }, { deadline, ...context }) {
  const waiting = [...commands];
  const ran = [];
  const take = async () => {
    for (let next; (next = waiting.shift());) {
      const left = deadline - now();
      if (left < 0.1) return waiting.unshift(next);
      ran.push(await runLimited(next, { ...context, limit: Math.min(next.limit ?? Infinity, left) }));
    }
    return 0;
  };
  await Promise.all(Array.from({ length: parallel }, take));
  return { ran, left: waiting.length };
}

function statusOf({ ran, left }) {
  if (ran.some(({ exit, timedOut }) => exit !== 0 && !timedOut)) return 'failed';
  return left > 0 || ran.some(({ timedOut }) => timedOut) ? 'timed out' : 'passed';
}

const textOf = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '');
const lastLines = (text, n) =>
  text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-n);

/** Lines of a step for the summary. */
function linesOf(step, record, text) {
  if (record.reason) return [record.reason];
  const failed = record.ran
    .filter(({ exit }) => exit !== 0)
    .map(
      (one) => `${one.timedOut ? 'timed out' : (one.note ?? `exit ${one.exit}`)}: ${one.command.slice(-2).join(' ')}`,
    );
  try {
    const shown = step.show ? step.show(text) : failed.length > 0 ? lastLines(text, 5) : [];
    return [...failed, ...shown];
  } catch (error) {
    return [...failed, `its log could not be read: ${error.message}`];
  }
}

/** Runs the steps and keeps OUT/summary.txt, OUT/quick.json and OUT/results.tar.gz up to date. */
class TimedSteps {
  /** work: folder of logs and results; out: folder of the three files; budget: seconds for everything; head: of the summary. */
  constructor({ work, out, budget, cwd, head, env = {} }) {
    Object.assign(this, { work, out, cwd, head, env, records: [], running: new Set(), background: new Map() });
    this.deadline = now() + budget;
    this.started = now();
  }

  async run(steps) {
    const stop = () => {
      this.deadline = 0; // what is left is not started
      for (const child of this.running) killGroup(child);
    };
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, stop);
    for (const step of steps) {
      const started = this.runStep(step);
      if (step.background) this.background.set(step.name, started);
      else await started;
    }
    // Nothing waits for a background step at the end.
    for (const child of this.running) killGroup(child);
    await Promise.all(this.background.values());
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, stop);
    this.write(true);
    return this.records.every(({ status }) => status === 'passed' || status === 'skipped');
  }

  async runStep(step) {
    const record = { name: step.name, limit: step.limit, status: 'running', ran: [], seconds: 0 };
    this.records.push(record);
    if (step.after) await this.background.get(step.after);
    const since = now();
    const log = path.join(this.work, `${step.name}.log`);
    const reason = step.skip ?? (this.deadline - since < 1 ? 'no time was left' : undefined);
    if (reason) Object.assign(record, { reason, status: step.skip ? 'skipped' : 'no time' });
    else {
      const commands = step.commands.map((one) => ({ ...one, env: { ...this.env, ...one.env } }));
      const deadline = Math.min(since + step.limit, this.deadline);
      const result = await runCommands({ ...step, commands }, { ...this, log, deadline });
      Object.assign(record, {
        ran: result.ran,
        notStarted: result.left,
        status: statusOf(result),
        seconds: now() - since,
      });
    }
    record.lines = linesOf(step, record, textOf(log));
    this.write(false);
  }

  summary(complete) {
    const rows = this.records.map(({ name, status, seconds, limit, lines = [] }) =>
      [
        `${name.padEnd(12)}${status.padEnd(11)}${seconds.toFixed(1).padStart(6)} s of ${limit}`,
        ...lines.map((line) => `    ${line}`),
      ].join('\n'),
    );
    const count = (status) => this.records.filter((record) => record.status === status).length;
    const total = ['passed', 'failed', 'timed out', 'no time', 'skipped']
      .map((status) => `${count(status)} ${status}`)
      .join(', ');
    const end = `${total}; ${(now() - this.started).toFixed(0)} s${complete ? '' : '; not complete'}`;
    return `${this.head}\n\n${rows.join('\n')}\n\n${end}\n`;
  }

  /** Replaces the three files. A failure is reported in the summary, which is written last. */
  write(complete) {
    const records = { complete, seconds: now() - this.started, steps: this.records };
    this.replace('quick.json', `${JSON.stringify(records, null, 1)}\n`);
    const packed = path.join(this.work, '..', `${path.basename(this.work)}.tar.gz`);
    const tar = spawnSync('tar', ['czf', packed, '-C', this.work, '.'], { encoding: 'utf8' });
    let note = '';
    if (tar.status === 0) {
      copyFileSync(packed, path.join(this.out, 'results.part'));
      renameSync(path.join(this.out, 'results.part'), path.join(this.out, 'results.tar.gz'));
    } else note = `results.tar.gz was not written: ${tar.error?.message ?? tar.stderr}\n`;
    this.replace('summary.txt', this.summary(complete) + note);
  }

  replace(name, text) {
    writeFileSync(path.join(this.out, `${name}.part`), text);
    renameSync(path.join(this.out, `${name}.part`), path.join(this.out, name));
  }
}

module.exports = { TimedSteps, lastLines };
