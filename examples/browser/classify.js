/* Classifies a picture or a video with an exported model. The model says itself how its input is made: see `metadata`. */
/* global ort */
import { metadata } from './metadata.js';

ort.env.wasm.numThreads = 1; // threads need a page that is isolated from other origins
ort.env.wasm.wasmPaths = new URL('ort/', location.href).href;

const $ = (id) => document.getElementById(id);
let model = null;

function say(text, error = false) {
  $('status').textContent = text;
  $('status').className = error ? 'error' : 'muted';
}

/** Reads a model: its session, input specification and class names. */
async function loadModel(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const { input, classNames } = metadata(bytes);
  if (input === undefined || classNames === undefined)
    throw new Error(`${file.name}: expected a model that morphmlp export wrote, found no input specification`);
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] });
  return { session, input: JSON.parse(input), classNames: JSON.parse(classNames) };
}

/** Waits for an event of a media element. @throws if the element reports an error */
function event(media, name, file) {
  return new Promise((resolve, reject) => {
    media.addEventListener(name, resolve, { once: true });
    media.addEventListener('error', () => reject(new Error(`${file.name}: the browser cannot read this file`)), {
      once: true,
    });
  });
}

/** Times of the frames of a video in seconds: `rate` apart at `targetFps` around the middle, or one of each part. */
function frameTimes({ frames, rate, sampling, targetFps }, duration) {
  const span = sampling === 'segment' ? duration : Math.min((frames * rate) / targetFps, duration);
  const start = (duration - span) / 2;
  return Array.from({ length: frames }, (_, i) => start + ((i + 0.5) * span) / frames);
}

/** Yields the frames of a file that the model takes, as something to draw, with its size. */
async function* framesOf(file, input, url) {
  if (file.type.startsWith('image/')) {
    const picture = new Image();
    picture.src = url;
    await event(picture, 'load', file);
    for (let i = 0; i < input.frames; i++) yield [picture, picture.naturalWidth, picture.naturalHeight];
    return;
  }
  const video = document.createElement('video');
  video.muted = true;
  video.preload = 'auto';
  video.src = url;
  await event(video, 'loadeddata', file);
  for (const time of frameTimes(input, video.duration)) {
    const seeked = event(video, 'seeked', file);
    video.currentTime = time;
    await seeked;
    yield [video, video.videoWidth, video.videoHeight];
  }
}

/** Draws the centre crop of a frame, its short side scaled to `testScale`, into a square of side `crop`. */
function drawCrop(context, [frame, width, height], { crop, testScale }) {
  const scale = Math.max(testScale, crop) / Math.min(width, height);
  const [w, h] = [Math.floor(width * scale), Math.floor(height * scale)];
  const centre = (room) => Math.ceil((room - crop) / 2);
  context.imageSmoothingQuality = 'high';
  context.drawImage(frame, -centre(w), -centre(h), w, h);
  return context.getImageData(0, 0, crop, crop).data;
}

/** The network's input [1, 3, T, H, W] (of images [1, 3, H, W]) of a file; also draws its frames on the page. */
async function inputOf(file, { input }) {
  const { frames, crop, normalisation } = input;
  const [plane, values] = [crop * crop, new Float32Array(3 * frames * crop * crop)];
  const canvas = new OffscreenCanvas(crop, crop);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const columns = Math.min(frames, 8);
  const sheet = $('frames');
  const step = crop + Math.ceil(crop / 32); // a gap between frames
  [sheet.width, sheet.height] = [columns * step, Math.ceil(frames / columns) * step];
  const url = URL.createObjectURL(file);
  let t = 0;
  try {
    for await (const frame of framesOf(file, input, url)) {
      const pixels = drawCrop(context, frame, input);
      for (let c = 0; c < 3; c++)
        for (let i = 0; i < plane; i++)
          values[(c * frames + t) * plane + i] =
            (pixels[4 * i + c] / 255 - normalisation.mean[c]) / normalisation.std[c];
      sheet.getContext('2d').drawImage(canvas, (t % columns) * step, Math.floor(t / columns) * step);
      t++;
    }
  } finally {
    URL.revokeObjectURL(url);
  }
  const image = model.session.inputMetadata[0].shape.length === 4;
  return new ort.Tensor('float32', values, image ? [1, 3, crop, crop] : [1, 3, frames, crop, crop]);
}

function softmax(logits) {
  const top = Math.max(...logits);
  const powers = Array.from(logits, (x) => Math.exp(x - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

async function classify(file) {
  const pixels = await inputOf(file, model);
  const before = performance.now();
  const { logits } = await model.session.run({ pixels });
  const scores = softmax(logits.data).map((probability, c) => ({ name: model.classNames[c], probability }));
  const best = scores.sort((a, b) => b.probability - a.probability).slice(0, 5);
  const rows = best.flatMap(({ name, probability }) => {
    const [dt, bar, dd] = ['dt', 'div', 'dd'].map((tag) => document.createElement(tag));
    bar.className = 'bar';
    bar.append(document.createElement('i'));
    bar.firstChild.style.width = `${100 * probability}%`;
    [dt.textContent, dd.textContent] = [name, `${(100 * probability).toFixed(1)}%`];
    dd.dataset.probability = probability;
    return [dt, bar, dd];
  });
  $('scores').replaceChildren(...rows);
  say(`${file.name}: ${(performance.now() - before).toFixed(0)} ms in the network`);
}

async function take(file) {
  say(`reading ${file.name} …`);
  try {
    if (file.name.endsWith('.onnx')) {
      model = await loadModel(file);
      const { frames, crop } = model.input;
      const size = `${frames > 1 ? `${frames} frames of ` : ''}${crop} × ${crop}`;
      $('model').textContent = `${file.name}: ${size}, ${model.classNames.length} classes`;
      say('now drop a picture or a video');
    } else if (model === null) throw new Error('a model is needed first: drop an .onnx file');
    else await classify(file);
  } catch (error) {
    say(error.message, true);
  }
  document.documentElement.dataset.done = file.name;
}

$('file').addEventListener('change', ({ target }) => target.files[0] && take(target.files[0]));
for (const name of ['dragenter', 'dragover', 'dragleave', 'drop'])
  document.addEventListener(name, (dropped) => {
    dropped.preventDefault();
    $('drop').classList.toggle('over', name === 'dragenter' || name === 'dragover');
    if (name === 'drop' && dropped.dataTransfer.files[0]) take(dropped.dataTransfer.files[0]);
  });
