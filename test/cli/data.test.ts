import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { MOTION_CLASSES } from '../../src/data/synthetic/motion';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

describe('morphmlp data', () => {
  test('export writes what train and preview read', async () => {
    const exported = runCli(['data', 'export', at('motion'), '--train', '8', '--val', '8']);
    expect(exported).toMatchObject({ status: 0 });
    const labels = readFileSync(at('motion/train.csv'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(',')[1]);
    expect(labels).toHaveLength(8);
    expect(MOTION_CLASSES).toEqual(expect.arrayContaining(labels)); // so that a quick start's model knows them
    const args = ['--data', at('motion/train.csv'), '--crop', '48', 'DATA.SAMPLING_RATE', '1'];
    const plain = runCli(['data', 'preview', ...args, '--count', '3', '--out', at('plain.png')]);
    expect(plain.out).toContain('plain.png: 3 clips of 16 x 48 x 48');
    expect(runCli(['data', 'preview', ...args, '--count', '3', '--augment', '--out', at('mixed.png')]).status).toBe(0);
    const [a, b] = await Promise.all(['plain.png', 'mixed.png'].map((name) => sharp(at(name)).raw().toBuffer()));
    expect(a!.length).toBe(b!.length);
    expect(a!.equals(b!)).toBe(false);
    runCli(['data', 'preview', ...args, '--count', '3', '--augment', '--out', at('again.png')]);
    expect(readFileSync(at('again.png')).equals(readFileSync(at('mixed.png')))).toBe(true);
  });

  test('a sheet of another format is rejected', () => {
    const { status, err } = runCli(['data', 'preview', '--data', 'motion', '--out', at('sheet.jpg')]);
    expect(status).toBe(1);
    expect(err).toMatch(/--out .*sheet.jpg: expected a name that ends in .png/);
    expect(existsSync(at('sheet.jpg'))).toBe(false);
  });
});
