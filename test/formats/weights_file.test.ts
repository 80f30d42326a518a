import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { weightsKind } from '../../src/formats/weights_file';
import { legacy, dict, pickle, simple, tensor, zip } from './torch/pytorch_files';

let folder = '';
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'kinds-'))));
afterAll(() => rmSync(folder, { recursive: true }));
const put = (name: string, content: Buffer | string) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

const safetensors = readFileSync(join(__dirname, '..', 'fixtures', 'safetensors', 'mixed.safetensors'));
const archive = zip(simple());
const old = legacy(pickle(dict({ w: tensor() })));
/** A header of 128 bytes: the file starts with the byte of a pickle. */
const short = Buffer.concat([Buffer.from([128, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{}'.padEnd(128))]);
const tar = Buffer.alloc(1024);
tar.write('ustar', 257);

test.each(['x.pth.tar', 'x', 'x.pkl', 'x.ckpt', 'x.bin', 'x.safetensors', 'x.onnx'])(
  '%s is what its bytes are',
  (name) => {
    expect(weightsKind(put(name, archive))).toBe('pytorch');
    expect(weightsKind(put(name, old))).toBe('pytorch');
    expect(weightsKind(put(name, safetensors))).toBe('safetensors');
    expect(weightsKind(put(name, short))).toBe('safetensors');
  },
);

test('an unrecognised file is reported by the reader of its extension', () => {
  expect(weightsKind(put('x.safetensors', '<html>'))).toBe('safetensors');
  expect(weightsKind(put('x.pth', '<html>'))).toBe('pytorch');
  expect(weightsKind(put('empty', ''))).toBe('pytorch');
});

test.each([
  ['a gzip file', gzipSync(archive)],
  ['a tar archive', tar],
  ['an HDF5 file', Buffer.from('\x89HDF\r\n\x1a\n', 'latin1')],
  ['the pointer of Git LFS', Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0')],
])('%s is named', (what, content) => {
  const path = put('x.pth', content);
  expect(() => weightsKind(path)).toThrow(`${path}: expected a PyTorch or safetensors file, got ${what}`);
});

test('a missing file, and a folder', () => {
  expect(() => weightsKind(join(folder, 'none'))).toThrow('none: no such file');
  expect(() => weightsKind(folder)).toThrow('expected a file, got a folder');
});
