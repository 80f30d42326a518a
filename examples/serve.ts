/** An HTTP server: POST a picture or a video, get its most probable classes as JSON. It answers others while it computes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { models, predict } from 'morphmlp';

const [checkpoint = '', port = '8080', mib = '64', most = '4'] = process.argv.slice(2);
const KINDS = new Map([['image/jpeg', 'jpg'], ['image/png', 'png'], ['video/mp4', 'mp4'], ['video/webm', 'webm']]); // prettier-ignore
const refused = (status: number, message: string) => Object.assign(new Error(message), { status });
const model = models.load(checkpoint);
const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-serve-'));
let [busy, uploads] = [0, 0];

async function* bounded(request: IncomingMessage): AsyncGenerator<Buffer> {
  let left = Number(mib) * 2 ** 20;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if ((left -= chunk.length) < 0) throw refused(413, `expected at most ${mib} MiB`);
    yield chunk;
  }
}

async function classify(request: IncomingMessage, signal: AbortSignal): Promise<unknown> {
  if (request.method !== 'POST') throw refused(405, 'expected POST with a picture or a video, or GET /health');
  const kind = KINDS.get(request.headers['content-type'] ?? '');
  if (!kind) throw refused(415, `expected a content-type of ${[...KINDS.keys()].join(', ')}`);
  if (busy >= Number(most)) throw refused(503, `${busy} requests are under way: try again later`);
  const file = path.join(folder, `upload-${++uploads}.${kind}`);
  busy += 1;
  try {
    await writeFile(file, bounded(request), { signal });
    return await predict(file, model, { signal });
  } catch (error) {
    const { status = 400, message } = error as { status?: number; message: string };
    throw refused(status, message.replaceAll(`${folder}/`, ''));
  } finally {
    busy -= 1;
    await rm(file, { force: true });
  }
}

const server = createServer((request, response) => {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const answer = (status: number, body: unknown) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    request.resume(); // the rest of a refused upload
  };
  if (request.url === '/health') return answer(200, { busy });
  classify(request, gone.signal).then(
    (classes) => answer(200, classes),
    (error: Error & { status: number }) => answer(error.status, { error: error.message }),
  );
});
server.listen(Number(port), '127.0.0.1', () => console.log(`port ${(server.address() as AddressInfo).port}`));
const end = () => server.close(() => (model.network.dispose(), rmSync(folder, { recursive: true })));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
