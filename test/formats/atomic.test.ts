import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { writeFileAtomic } from '../../src/formats/atomic';
import type { FileSystem } from '../../src/formats/atomic';

let folder = '';
beforeEach(() => (folder = fs.mkdtempSync(join(tmpdir(), 'atomic-'))));
afterEach(() => fs.rmSync(folder, { recursive: true }));

const text = (content: string) => (write: (bytes: Uint8Array) => void) => write(Buffer.from(content));
const fail = (code: string) => () => {
  throw Object.assign(new Error(`${code}: injected`), { code });
};

/** The real file system with some calls replaced. */
const broken = (calls: Partial<FileSystem>): FileSystem => ({ ...fs, ...calls });

test('writes a new file, replaces one, and leaves no temporary file', () => {
  const path = join(folder, 'a.txt');
  writeFileAtomic(path, text('one'));
  writeFileAtomic(path, (write) => ['t', '', 'wo'].forEach((part) => write(Buffer.from(part))));
  expect(fs.readFileSync(path, 'utf8')).toBe('two');
  expect(fs.readdirSync(folder)).toEqual(['a.txt']);
});

test('the file under the name is whole at every moment', () => {
  const path = join(folder, 'a.txt');
  writeFileAtomic(path, text('before'));
  writeFileAtomic(path, (write) => {
    write(Buffer.from('aft'));
    expect(fs.readFileSync(path, 'utf8')).toBe('before');
    write(Buffer.from('er'));
  });
  expect(fs.readFileSync(path, 'utf8')).toBe('after');
});

test('flushes the file before the rename and the folder after it', () => {
  const calls: string[] = [];
  const names = new Map<number, string>();
  const spy = broken({
    openSync: ((path: string, ...rest: [string]) => {
      const fd = fs.openSync(path, ...rest);
      names.set(fd, path === folder ? 'folder' : 'file');
      return fd;
    }) as typeof fs.openSync,
    fsyncSync: (fd) => void calls.push(`flush ${names.get(fd)}`),
    renameSync: (from, to) => (calls.push('rename'), fs.renameSync(from, to)),
  });
  writeFileAtomic(join(folder, 'a.txt'), text('x'), spy);
  expect(calls).toEqual(['flush file', 'rename', 'flush folder']);
});

test('continues after a partial write', () => {
  const path = join(folder, 'a.txt');
  const writeSync = ((fd: number, bytes: Uint8Array, from: number, length: number) =>
    fs.writeSync(fd, bytes, from, Math.min(2, length))) as typeof fs.writeSync;
  writeFileAtomic(path, text('seven..'), broken({ writeSync }));
  expect(fs.readFileSync(path, 'utf8')).toBe('seven..');
  expect(() => writeFileAtomic(path, text('x'), broken({ writeSync: (() => 0) as typeof fs.writeSync }))).toThrow(
    'EIO',
  );
});

describe('a failure leaves the previous file and no other', () => {
  test.each([
    ['ENOSPC', { writeSync: fail('ENOSPC') }, 'no space left on the disk (ENOSPC while writing)'],
    ['EDQUOT', { fsyncSync: fail('EDQUOT') }, 'the disk quota is used up (EDQUOT while flushing)'],
    ['EIO', { fsyncSync: fail('EIO') }, 'the disk reported an error (EIO while flushing)'],
    ['EROFS', { openSync: fail('EROFS') }, 'the file system is read-only (EROFS while creating a file beside it)'],
    ['EACCES', { openSync: fail('EACCES') }, 'permission denied (EACCES while creating a file beside it)'],
    ['EISDIR', { renameSync: fail('EISDIR') }, 'a folder has this name (EISDIR while renaming)'],
    ['EWEIRD', { writeSync: fail('EWEIRD') }, 'EWEIRD: injected (EWEIRD while writing)'],
  ] as [string, Partial<FileSystem>, string][])('%s', (_code, calls, message) => {
    const path = join(folder, 'a.txt');
    writeFileAtomic(path, text('previous'));
    const write = () => writeFileAtomic(path, text('next'), broken(calls));
    expect(write).toThrow(`${path}: not saved, ${message}; a previous file is unchanged`);
    expect(fs.readFileSync(path, 'utf8')).toBe('previous');
    expect(fs.readdirSync(folder)).toEqual(['a.txt']);
  });

  test('an error of the caller', () => {
    const path = join(folder, 'a.txt');
    writeFileAtomic(path, text('previous'));
    expect(() => writeFileAtomic(path, fail('mine'))).toThrow('mine: injected');
    expect(fs.readFileSync(path, 'utf8')).toBe('previous');
    expect(fs.readdirSync(folder)).toEqual(['a.txt']);
  });

  test('a folder that is not there', () => {
    expect(() => writeFileAtomic(join(folder, 'none', 'a'), text('x'))).toThrow('the folder does not exist (ENOENT');
  });
});

test('a failed flush of the folder is reported, unless the file system does not support it', () => {
  const path = join(folder, 'a.txt');
  const failing = (code: string) => {
    let calls = 0;
    return broken({ fsyncSync: () => (calls++ === 0 ? undefined : fail(code)()) });
  };
  expect(() => writeFileAtomic(path, text('x'), failing('EIO'))).toThrow('saved, but its folder could not be flushed');
  expect(() => writeFileAtomic(path, text('y'), failing('EINVAL'))).not.toThrow();
  expect(fs.readFileSync(path, 'utf8')).toBe('y');
});

test('a symbolic link stays a link', () => {
  const path = join(folder, 'real.txt');
  fs.writeFileSync(path, 'old');
  fs.symlinkSync(path, join(folder, 'link.txt'));
  writeFileAtomic(join(folder, 'link.txt'), text('new'));
  expect(fs.lstatSync(join(folder, 'link.txt')).isSymbolicLink()).toBe(true);
  expect(fs.readFileSync(path, 'utf8')).toBe('new');
});

/** The module as JavaScript, so that a child process can run it without a compiler. */
function compiledModule(): string {
  const source = fs.readFileSync(join(__dirname, '..', '..', 'src', 'formats', 'atomic.ts'), 'utf8');
  const options = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 };
  const path = join(folder, 'atomic.cjs');
  fs.writeFileSync(path, ts.transpileModule(source, { compilerOptions: options }).outputText);
  return path;
}

test('a real limit of the system: the file may not grow beyond 64 KiB', () => {
  const path = join(folder, 'data', 'a.bin');
  fs.mkdirSync(join(folder, 'data'));
  fs.writeFileSync(path, 'previous');
  const script = `
    const { writeFileAtomic } = require(${JSON.stringify(compiledModule())});
    try { writeFileAtomic(${JSON.stringify(path)}, (write) => { for (let i = 0; i < 8; i++) write(Buffer.alloc(16384, 1)); }); }
    catch (error) { console.log(error.message); }`;
  const command = ['-c', 'ulimit -f 64; exec "$0" -e "$1"', process.execPath, script];
  const output = execFileSync('bash', command, { encoding: 'utf8' });
  expect(output).toContain('not saved, the file would be larger than allowed (EFBIG while writing)');
  expect(fs.readFileSync(path, 'utf8')).toBe('previous');
  expect(fs.readdirSync(join(folder, 'data'))).toEqual(['a.bin']);
});
