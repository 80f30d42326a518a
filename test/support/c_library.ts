import { existsSync } from 'node:fs';
import path from 'node:path';
import { loadAddon } from '../../src/core/addon_path';

/** The C library built with the addon: same kernels, emulated if the addon is. */
export function cLibrary(): string {
  const name = process.platform === 'darwin' ? 'libmorphmlp.dylib' : 'libmorphmlp.so';
  const file = path.join(path.dirname(loadAddon().file), name);
  if (!existsSync(file)) throw new Error(`${file} is not there: npm run build:native makes it`);
  return file;
}
