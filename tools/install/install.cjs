'use strict';
// Provides the addon at install: a prebuilt that loads here, else a build with CMake, else a build with node-gyp. If all fail,
// prints the reasons and what to install. Downloads nothing.
//   MORPHMLP_BUILD=cmake|gyp   force this build     MORPHMLP_BUILD=skip   do nothing
//   MORPHMLP_CUDA=ON|OFF|AUTO  the CUDA backend of a CMake build (default AUTO: if nvcc and an NVIDIA driver are found)
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const builders = require('./builders.cjs');
const { root, prebuilt, platformName } = require('../../native/find_addon.cjs');

const { existsSync, readFileSync, readdirSync, rmSync, statSync } = fs;
const say = (text) => console.log(`morphmlp: ${text}`);
const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;
const relative = (file) => path.relative(root, file);

/** Loads the file in a child process, which may crash. Returns the reason why it does not load, or undefined. */
function whyNotLoaded(file) {
  if (!existsSync(file)) return `${relative(file)} is not there`;
  const run = spawnSync(process.execPath, ['-e', 'require(process.argv[1])', file], { encoding: 'utf8' });
  if (run.status === 0) return undefined;
  const line = run.stderr.split('\n').find((text) => /Error: /.test(text)) ?? `loading it ended with ${run.signal}`;
  return `${relative(file)} does not load: ${line.replace(/^.*?Error: /, '')}`;
}

function newestSource() {
  const skipped = path.join('native', 'build');
  const files = readdirSync(path.join(root, 'native'), { recursive: true }).map((f) => path.join('native', String(f)));
  const sources = ['CMakeLists.txt', ...files.filter((f) => !f.startsWith(skipped))];
  return Math.max(...sources.map((f) => statSync(path.join(root, f)).mtimeMs));
}

function isReady({ output }) {
  return existsSync(output) && statSync(output).mtimeMs >= newestSource() && !whyNotLoaded(output);
}

// npm removes the package if its install script fails, so logs are written elsewhere. They are removed after a success.
let logs;
function logFile(builder) {
  logs ??= fs.mkdtempSync(path.join(os.tmpdir(), 'morphmlp-build-'));
  return path.join(logs, `${builder.name.toLowerCase()}.log`);
}

// The terminal, even if npm buffers the output of scripts; null if there is none.
function openTerminal() {
  if (process.stdout.isTTY) return 1;
  if (process.env.CI) return null;
  try {
    return fs.openSync('/dev/tty', 'w');
  } catch {
    return null;
  }
}

function writeTerminal(terminal, text) {
  try {
    fs.writeSync(terminal, text);
  } catch {
    // A failure to report progress must not fail the installation.
  }
}

const COMPILES = /(?:Building \w+ object|\b(?:CXX|CC)\(target\)) (\S+)/;

/** Returns a function that reads new lines of a log and counts the compiled files. */
function followLog(file) {
  let [offset, rest, count, latest] = [0, '', 0, ''];
  const buffer = Buffer.alloc(1 << 16);
  return () => {
    const log = fs.openSync(file, 'r');
    for (let got; (got = fs.readSync(log, buffer, 0, buffer.length, offset)) > 0; offset += got)
      rest += buffer.toString('latin1', 0, got);
    fs.closeSync(log);
    const lines = rest.split('\n');
    rest = lines.pop();
    for (const [, object] of lines.map((line) => COMPILES.exec(line)).filter(Boolean)) {
      count += 1;
      latest = path.basename(object).replace(/\.o$/, '');
    }
    return { count, latest };
  };
}

// Reports progress every second on a terminal, else every 20 seconds.
function showProgress(builder) {
  const terminal = openTerminal();
  const since = Date.now();
  const read = followLog(logFile(builder));
  say(`building the addon with ${builder.name} …`);
  let ticks = 0;
  const tick = () => {
    const { count, latest } = read();
    const total = count > 0 ? builder.objects() : 0;
    const files = count > 0 ? `file ${count}${total >= count ? ` of ${total}` : ''}, ` : '';
    const text = `morphmlp: building the addon with ${builder.name} … ${files}${Math.round((Date.now() - since) / 1000)} s`;
    if (terminal !== null) writeTerminal(terminal, `\r\x1b[K${text}${latest && `, ${latest}`}`.slice(0, 100));
    if (terminal !== 1 && ++ticks % 20 === 0) console.log(text);
  };
  const timer = setInterval(tick, 1000);
  return () => {
    clearInterval(timer);
    if (terminal === null) return;
    writeTerminal(terminal, '\r\x1b[K');
    if (terminal !== 1) fs.closeSync(terminal);
  };
}

// Without the npm setting nodedir, which would override the headers of builders.cjs.
function buildEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_config_nodedir$/i.test(name)));
}

/** Runs a Node script with its output in the log. Resolves to whether it succeeded. */
function runScript(args, log) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { cwd: root, env: buildEnvironment(), stdio: ['ignore', log, log] });
    child.on('error', () => done(false));
    child.on('exit', (status) => done(status === 0));
  });
}

async function runAll(builder) {
  const log = fs.openSync(logFile(builder), 'w');
  const stopProgress = showProgress(builder);
  try {
    for (const command of builder.commands()) if (!(await runScript(command, log))) return false;
    builder.finish?.();
    return true;
  } finally {
    stopProgress();
    fs.closeSync(log);
  }
}

// Lines with errors, or else the last lines.
function endOfLog(builder) {
  const lines = readFileSync(logFile(builder), 'utf8')
    .split('\n')
    .filter((line) => line.trim());
  const errors = lines.filter((line) => /\berror[: ]|fatal|cannot find|not found/i.test(line));
  return (errors.length ? errors.slice(0, 8) : lines.slice(-8)).map((line) => `      ${line.slice(0, 200)}`);
}

// A build folder of another CMake version, generator or path fails to configure: retries with an empty folder.
async function runWithRetry(builder) {
  if (await runAll(builder)) return true;
  if (!readFileSync(logFile(builder), 'utf8').includes('CMakeCache.txt')) return false;
  rmSync(path.dirname(path.dirname(builder.output)), { recursive: true, force: true });
  return runAll(builder);
}

/** Builds. Returns undefined on success, else the lines of the reason. */
async function build(builder) {
  const since = Date.now();
  const missing = builder.missing();
  if (missing.length) return [`missing: ${missing.join(', ')}`];
  if (!(await runWithRetry(builder)))
    return [`the build failed; the log is ${logFile(builder)}:`, ...endOfLog(builder)];
  const reason = whyNotLoaded(builder.output);
  if (reason) return [reason];
  rmSync(logs, { recursive: true, force: true });
  say(`built the addon with ${builder.name} in ${seconds(since)}: ${relative(builder.output)}`);
  return undefined;
}

function advice() {
  if (process.platform === 'win32') return ['Windows is not supported; use the Windows Subsystem for Linux.'];
  return [
    'Install the missing tools, then run the same command again:',
    '  Debian, Ubuntu   apt-get install g++ make cmake',
    '  Fedora           dnf install gcc-c++ make cmake',
    '  Alpine           apk add g++ make cmake',
    '  macOS            xcode-select --install, and CMake from cmake.org or Homebrew',
    'Without CMake, python3 is sufficient.',
  ];
}

function giveUp(tried) {
  const lines = tried.flatMap(([name, [first, ...rest]]) => [`  ${name}: ${first}`, ...rest]);
  const help = tried.some(([, [first]]) => first.startsWith('missing')) ? advice() : [];
  console.error(['morphmlp: the native addon could not be provided. Tried:', ...lines, ...help].join('\n'));
  process.exitCode = 1;
}

// A clone builds its sources, since a prebuilt may be older.
function tryPrebuilt() {
  if (existsSync(path.join(root, '.git'))) return 'not used in a clone of the repository';
  if (!existsSync(prebuilt())) return `the package has none for ${platformName()}`;
  return whyNotLoaded(prebuilt());
}

function wantedBuilders() {
  const wanted = process.env.MORPHMLP_BUILD || undefined;
  if (wanted === undefined) return [builders.cmake, builders.gyp];
  if (!Object.hasOwn(builders, wanted)) throw new Error(`MORPHMLP_BUILD: expected cmake, gyp or skip, got '${wanted}'`);
  return [builders[wanted]];
}

async function install() {
  const wanted = wantedBuilders();
  const tried = [];
  if (!process.env.MORPHMLP_BUILD) {
    const reason = tryPrebuilt();
    if (!reason) return say(`using the prebuilt addon for ${platformName()}`);
    if (existsSync(prebuilt())) say(reason);
    tried.push(['prebuilt', [reason]]);
  }
  const ready = !process.env.MORPHMLP_CUDA && wanted.find(isReady);
  if (ready) return say(`the addon is up to date: ${relative(ready.output)}`);
  for (const builder of wanted) {
    const reason = await build(builder);
    if (!reason) return undefined;
    tried.push([builder.name, reason]);
    if (builder !== wanted.at(-1)) say(`${builder.name}: ${reason[0]}`);
  }
  return giveUp(tried);
}

async function main() {
  if (process.env.MORPHMLP_BUILD === 'skip') return say('MORPHMLP_BUILD=skip: the addon was not built');
  return install();
}

main().catch((error) => {
  console.error(`morphmlp: ${error.message}`);
  process.exitCode = 1;
});
