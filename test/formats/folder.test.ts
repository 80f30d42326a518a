import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { makeFolder } from '../../src/formats/folder';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (...names: string[]) => path.join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true }));

test('creates a folder and its parents; keeps an existing one', () => {
  makeFolder(at('a', 'b', 'c'));
  writeFileSync(at('a', 'b', 'c', 'kept'), '');
  makeFolder(at('a', 'b', 'c'));
  expect(existsSync(at('a', 'b', 'c', 'kept'))).toBe(true);
});

test('a failure reports the path and the reason', () => {
  writeFileSync(at('file'), '');
  expect(() => makeFolder(at('file'))).toThrow(
    `${at('file')}: expected a folder or a place for one: a file has this name`,
  );
  const below = at('file', 'x', 'y');
  expect(() => makeFolder(below)).toThrow(
    `${below}: expected a folder or a place for one: a part of this path is a file`,
  );
});

test('a parent that refuses new folders is reported', () => {
  const there = process.platform === 'linux'; // elsewhere there may be no /proc, and none can be made in the root
  expect(() => makeFolder('/proc/none/deeper')).toThrow(
    there ? '/proc/none: expected a folder' : ': expected a folder',
  );
});
