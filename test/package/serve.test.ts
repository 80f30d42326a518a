import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import sharp from 'sharp';
import { models, saveWeights } from '../../src';

const root = path.join(__dirname, '..', '..');
const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-serve-test-'));
const checkpoint = path.join(folder, 'model.safetensors');
const video = path.join(root, 'test', 'fixtures', 'video', 'h264.mp4');
const picture = path.join(folder, 'picture.png');
let server: ChildProcess;
let [port, interrupted] = [0, false];

const input = models.inputSpec({ frames: 4, rate: 2, crop: 64, normalisation: { mean: [0, 0, 0], std: [1, 1, 1] } });
const classNames = ['a', 'b', 'c', 'd', 'e', 'f'];
const network = models.create('quickstart', { numClasses: 6, frames: 4 });

beforeAll(async () => {
  saveWeights(checkpoint, network, { model: network.config, classNames, input });
  await sharp({ create: { width: 80, height: 64, channels: 3, background: { r: 200, g: 30, b: 90 } } }).toFile(picture);
});

afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(async () => {
  interrupted = false;
  const flags = ['--require', './test/support/live_bytes.cjs', '--import', 'tsx'];
  const args = [...flags, 'examples/serve.ts', checkpoint, '0', '1', '1']; // 1 MiB, 1 at once
  server = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const [line] = (await once(createInterface(server.stdout!), 'line')) as [string];
  port = Number(/^port (\d+)$/.exec(line)![1]);
});

afterEach(async () => {
  const ended = server.exitCode === null ? once(server, 'exit') : [server.exitCode];
  if (!interrupted) server.kill('SIGINT');
  expect((await ended)[0]).toBe(0);
  expect(readdirSync(folder).filter((name) => name.startsWith('morphmlp-serve-'))).toEqual([]);
});

interface Answer {
  status: number;
  body: unknown;
}

function open(method: string, url: string, type?: string): { sent: ClientRequest; answer: Promise<Answer> } {
  const headers = type ? { 'content-type': type } : {};
  // Without an agent, which would use a connection again that the server closed while `predicted` held this process.
  const sent = request({ port, host: '127.0.0.1', method, path: url, headers, agent: false });
  const answer = (async (): Promise<Answer> => {
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { status: response.statusCode!, body: JSON.parse(Buffer.concat(chunks).toString()) as unknown };
  })();
  return { sent, answer };
}

function send(method: string, url: string, type?: string, body?: Buffer): Promise<Answer> {
  const { sent, answer } = open(method, url, type);
  sent.end(body);
  return answer;
}

const health = () => send('GET', '/health');

/** What `predict` gives, in a process of its own: it imports its decoder when it is called, which Jest's realm cannot. */
function predicted(file: string): unknown {
  const program = `const { models, predict } = require('./dist');
    predict(process.argv[2], models.load(process.argv[1]), { top: 5 }).then((found) => console.log(JSON.stringify(found)));`;
  return JSON.parse(execFileSync(process.execPath, ['-e', program, checkpoint, file], { cwd: root, encoding: 'utf8' }));
}

test('classifies pictures and videos as predict does', async () => {
  for (const [file, type] of [
    [picture, 'image/png'],
    [video, 'video/mp4'],
  ] as const) {
    const expected = predicted(file);
    expect(await send('POST', '/', type, readFileSync(file))).toEqual({ status: 200, body: expected });
    expect(expected).toHaveLength(5);
  }
  expect(await health()).toEqual({ status: 200, body: { busy: 0 } });
});

test('has as many live bytes after every answer', async () => {
  const live = async (): Promise<unknown> => {
    const heard = once(server, 'message');
    server.send('live');
    return (await heard)[0] as unknown;
  };
  const found: unknown[] = [];
  expect((await send('POST', '/', 'image/png', readFileSync(picture))).status).toBe(200); // packs the weights
  for (let i = 0; i < 3; i++) {
    expect((await send('POST', '/', 'image/png', readFileSync(picture))).status).toBe(200);
    found.push(await live());
  }
  expect(found[0]).toBeGreaterThan(0);
  expect(new Set(found).size).toBe(1);
});

test('refuses in one sentence what it cannot read', async () => {
  const error = (status: number, message: unknown) => ({ status, body: { error: message } });
  expect(await send('PUT', '/', 'image/png', Buffer.of(1))).toEqual(
    error(405, expect.stringContaining('expected POST')),
  );
  expect(await send('POST', '/', 'text/plain', Buffer.of(1))).toEqual(
    error(415, 'expected a content-type of image/jpeg, image/png, video/mp4, video/webm'),
  );
  for (const type of ['image/png', 'video/mp4']) {
    const found = await send('POST', '/', type, Buffer.from('not what it says'));
    expect(found).toEqual(error(400, expect.stringMatching(/^upload-\d+\.(png|mp4): /)));
    expect(JSON.stringify(found.body)).not.toContain(folder);
  }
  const large = Buffer.alloc(2 ** 20 + 1);
  expect(await send('POST', '/', 'image/png', large)).toEqual(error(413, 'expected at most 1 MiB'));
  expect((await send('POST', '/', 'image/png', readFileSync(picture))).status).toBe(200);
});

test('bounds what is under way, answers meanwhile, and ends when it is done', async () => {
  const bytes = readFileSync(picture);
  const { sent, answer } = open('POST', '/', 'image/png');
  sent.write(bytes.subarray(0, 10));
  while (((await health()).body as { busy: number }).busy === 0);
  expect(await send('POST', '/', 'image/png', bytes)).toEqual({
    status: 503,
    body: { error: '1 requests are under way: try again later' },
  });
  server.kill('SIGINT');
  interrupted = true;
  while (await health().then(() => true, () => false)); // prettier-ignore
  sent.end(bytes.subarray(10));
  expect((await answer).status).toBe(200);
});

test('forgets an upload whose sender has gone', async () => {
  const { sent, answer } = open('POST', '/', 'image/png');
  answer.catch(() => undefined);
  sent.on('error', () => undefined);
  sent.write(Buffer.of(1));
  while (((await health()).body as { busy: number }).busy === 0);
  sent.destroy();
  while (((await health()).body as { busy: number }).busy === 1);
  expect((await send('POST', '/', 'image/png', readFileSync(picture))).status).toBe(200);
});
