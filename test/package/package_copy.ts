import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { addonCandidates } from '../../src/core/addon_path';

export const root = path.join(__dirname, '..', '..');

interface Manifest {
  dependencies: Record<string, string>;
}

/** The addon used by the other tests, in place of a newly built one. */
export const builtAddon = addonCandidates().find((file) => spawnSync('test', ['-f', file]).status === 0) ?? '';

/** A consumer's folder with the packed package installed as by npm, without a built addon. */
export interface PackageCopy {
  consumer: string;
  installed: string;
}

/** Packs the package and unpacks it as a dependency of an empty project in a temporary folder. */
export function unpackPackage(name = 'morphmlp-package-'): PackageCopy {
  const consumer = mkdtempSync(path.join(os.tmpdir(), name));
  const modules = path.join(consumer, 'node_modules');
  const installed = path.join(modules, 'morphmlp');
  mkdirSync(installed, { recursive: true });
  const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', consumer];
  const archive = execFileSync('npm', pack, { cwd: root, encoding: 'utf8' }).trim();
  execFileSync('tar', ['-xzf', path.join(consumer, archive), '--strip-components=1', '-C', installed]);
  const { dependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Manifest;
  for (const dependency of Object.keys(dependencies))
    symlinkSync(path.join(root, 'node_modules', dependency), path.join(modules, dependency));
  return { consumer, installed };
}

export function removePackage({ consumer }: PackageCopy): void {
  rmSync(consumer, { recursive: true, force: true });
}

/** Writes an executable script and returns its path. */
export function writeTool(folder: string, name: string, body: string): string {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
  return file;
}

/** Copies a file (by default the built addon) to a place where the package looks for an addon. */
export function placeAddon(installed: string, place: string, from: string = builtAddon): void {
  const target = path.join(installed, place);
  mkdirSync(path.dirname(target), { recursive: true });
  copyFileSync(from, target);
}
