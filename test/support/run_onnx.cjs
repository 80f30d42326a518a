// Runs an ONNX file: reads { file, x, shape } as JSON from standard input, and prints { dims, data } of its output.
const { existsSync, readFileSync } = require('node:fs');
const path = require('node:path');
const ort = require('onnxruntime-web');

async function main() {
  const { file, x, shape } = JSON.parse(readFileSync(0, 'utf8'));
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  const data = `${file}.data`;
  const externalData = existsSync(data) ? [{ path: path.basename(data), data: readFileSync(data) }] : [];
  const session = await ort.InferenceSession.create(readFileSync(file), { externalData });
  const output = await session.run({ pixels: new ort.Tensor('float32', Float32Array.from(x), shape) });
  const { dims, data: values } = output[session.outputNames[0]];
  console.log(JSON.stringify({ dims, data: [...values].map(Number) }));
}

void main();
