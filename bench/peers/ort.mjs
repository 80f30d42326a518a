// Times onnxruntime-node on the files of export_onnx.py, with the requests and answers of bench.py (forward only).
//
// usage: node ort.mjs MODELS_DIR [--threads N] [--reps N] [--cases 'image-s forward 8,...']   each in a fresh process
//        node ort.mjs MODELS_DIR --serve [--threads N]
// Resolves onnxruntime-node from the folder MORPHMLP_ORT_DIR (where `npm i onnxruntime-node` ran), then as usual.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const TOLERANCE = 2e-6;
const self = fileURLToPath(import.meta.url);

function loadOrt() {
  const folder = process.env.MORPHMLP_ORT_DIR;
  const require = createRequire(folder ? path.join(path.resolve(folder), 'index.js') : import.meta.url);
  const version = JSON.parse(readFileSync(packageFile(require), 'utf8')).version;
  return { ort: require('onnxruntime-node'), version };
}

// `exports` of the package may hide package.json, so walk up from its entry
function packageFile(require) {
  let folder = path.dirname(require.resolve('onnxruntime-node'));
  while (!existsSync(path.join(folder, 'package.json'))) folder = path.dirname(folder);
  return path.join(folder, 'package.json');
}

function fnv1a32(name) {
  let h = 2166136261;
  for (const byte of Buffer.from(name)) h = Math.imul(h ^ byte, 16777619) >>> 0;
  return h;
}

// The array `name` of values.py with scale 1 and offset 0.
function value(name, count) {
  const seed = fnv1a32(name);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let h = Math.imul(i, 0x9e3779b1) + seed;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    out[i] = ((h ^ (h >>> 16)) >>> 8) / 2 ** 23 - 1;
  }
  return out;
}

function relativeError(got, want) {
  if (got.length !== want.length) return Infinity;
  let [difference, norm] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    difference += (got[i] - want[i]) ** 2;
    norm += want[i] ** 2;
  }
  return Number.isNaN(difference) ? Infinity : Math.sqrt(difference / norm);
}

function peakRssMb() {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
}

function fileOf(models, text) {
  const [variant, work, batch] = text.split(/\s+/);
  if (work !== 'forward') throw new Error(`expected 'VARIANT forward BATCH', got '${text}'`);
  const file = path.join(models, `${variant}-b${batch}.onnx`);
  if (!existsSync(file)) throw new Error(`expected ${file}: write it with export_onnx.py ${models} '${text}'`);
  return file;
}

async function prepare(models, text, threads, warmup = 2) {
  const { ort, version } = loadOrt();
  const file = fileOf(models, text);
  const about = JSON.parse(readFileSync(file.replace(/onnx$/, 'json'), 'utf8'));
  const session = await ort.InferenceSession.create(file, { intraOpNumThreads: threads, interOpNumThreads: 1 });
  const x = new ort.Tensor('float32', value('bench.x', about.shape.reduce((a, b) => a * b)), about.shape);
  const forward = async () => (await session.run({ x })).logits;
  const logits = Array.from((await forward()).data);
  const error = relativeError(logits, about.output.flat());
  if (!(error <= TOLERANCE)) throw new Error(`${text}: logits differ from float64 by ${error}, allowed ${TOLERANCE}`);
  for (let i = 1; i < warmup; i++) await forward();
  const info = { peer: 'onnxruntime', version, case: text, threads, error, gmacs: about.gmacs };
  return { session, forward, info, logits, batch: about.shape[0] };
}

async function timed(prepared) {
  const start = performance.now();
  await prepared.forward();
  return performance.now() - start;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

async function measure(models, text, threads, reps) {
  const prepared = await prepare(models, text, threads);
  const ms = [];
  for (let i = 0; i < reps; i++) ms.push(Number((await timed(prepared)).toFixed(2)));
  const middle = median(ms);
  const gflops = Number(((2e3 * prepared.info.gmacs) / middle).toFixed(1));
  return { ...prepared.info, ms, median_ms: middle, peak_mb: Number(peakRssMb().toFixed(1)), gflops };
}

const verbs = {
  async setup(state, text) {
    state.cases.set(text, await prepare(state.models, text, state.threads));
    return state.cases.get(text).info;
  },
  run: async (state, text) => ({ case: text, ms: Number((await timed(state.cases.get(text))).toFixed(3)) }),
  async output(state, text) {
    const { logits, batch } = state.cases.get(text);
    const classes = logits.length / batch;
    return { case: text, output: Array.from({ length: batch }, (_, b) => logits.slice(b * classes, (b + 1) * classes)) };
  },
  peak: async () => ({ mb: peakRssMb() }),
  async drop(state, text) {
    await state.cases.get(text).session.release();
    state.cases.delete(text);
    return { case: text, dropped: true };
  },
};

async function answer(state, line) {
  const [verb, ...rest] = line.trim().split(/\s+/);
  const text = rest.join(' ');
  if (!Object.hasOwn(verbs, verb)) return { error: `expected setup, run, output, peak, drop or quit, got '${verb}'` };
  if (verb !== 'setup' && !state.cases.has(text)) return { error: `expected 'setup ${text}' before '${verb} ${text}'` };
  return verbs[verb](state, text).catch((error) => ({ error: error.message }));
}

async function serve(models, threads) {
  const state = { models, threads, cases: new Map() };
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (line.trim() === 'quit') return;
    console.log(JSON.stringify(await answer(state, line)));
  }
}

function exportedCases(models) {
  const files = readdirSync(models).filter((name) => name.endsWith('.json'));
  return files.map((name) => JSON.parse(readFileSync(path.join(models, name), 'utf8')).case);
}

function drive(models, cases, options) {
  for (const text of cases) {
    const rest = ['--one', text.trim(), '--threads', options.threads, '--reps', options.reps];
    const { status } = spawnSync(process.execPath, [self, models, ...rest], { stdio: 'inherit' });
    if (status !== 0) process.exitCode = 1;
  }
}

async function main() {
  const text = { type: 'string' };
  const options = { serve: { type: 'boolean' }, threads: { ...text, default: '2' }, reps: { ...text, default: '10' } };
  const parsed = parseArgs({ allowPositionals: true, options: { ...options, cases: text, one: text } });
  const { values, positionals } = parsed;
  const [models, threads] = [positionals[0], Number(values.threads)];
  if (!models) throw new Error('expected a folder written by export_onnx.py as the first argument');
  if (values.serve) return serve(models, threads);
  if (!values.one) return drive(models, values.cases?.split(',') ?? exportedCases(models), values);
  console.log(JSON.stringify(await measure(models, values.one, threads, Number(values.reps))));
}

main().catch((error) => {
  console.error(`ort.mjs: ${error.message}`);
  process.exitCode = 1;
});
