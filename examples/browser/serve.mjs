// Serves this page and ONNX Runtime Web on this computer: node examples/browser/serve.mjs [PORT]
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const runtime = path.dirname(createRequire(import.meta.url).resolve('onnxruntime-web'));
const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

/** The file of a URL: of ort/ from ONNX Runtime Web, else of this folder. */
function fileOf(url) {
  const name = path.posix.normalize(decodeURIComponent(new URL(url, 'http://localhost').pathname)).slice(1);
  if (name.startsWith('ort/')) return path.join(runtime, path.basename(name));
  return path.join(here, path.basename(name || 'index.html'));
}

const server = createServer((request, response) => {
  const file = fileOf(request.url ?? '/');
  const type = TYPES[path.extname(file)];
  if (type === undefined || !statSync(file, { throwIfNoEntry: false })?.isFile()) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('no such file');
    return;
  }
  response.writeHead(200, { 'content-type': type });
  createReadStream(file).pipe(response);
});
server.listen(Number(process.argv[2] ?? 8080), '127.0.0.1', () =>
  console.log(`open http://127.0.0.1:${server.address().port}/`),
);
