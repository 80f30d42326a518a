import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { KERNEL_NAMES } from '../../src/core/kernels';
import { native } from '../../src/core/native';
import { cLibrary } from '../support/c_library';

interface Found {
  kernels: string[];
  device: string;
  checks: number;
  problems: string[];
}

/** Runs c_api.py in a process of its own: a mistake in the library is a crash there. */
function python(...args: string[]): Found {
  const run = spawnSync('python3', [path.join(__dirname, 'c_api.py'), ...args], { encoding: 'utf8', timeout: 50_000 });
  const { error, status, signal, stderr } = run;
  expect({ error, status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  return JSON.parse(run.stdout) as Found;
}

const hasCuda = native.cudaStatus() === 'available';

test.each(hasCuda ? ['cpu', 'cuda'] : ['cpu'])('Python computes on %s as float64 does; misuse is refused', (device) => {
  const found = python(cLibrary(), device);
  expect(found.problems).toEqual([]);
  expect(found.kernels).toEqual(KERNEL_NAMES);
  expect(found.checks).toBeGreaterThanOrEqual(80);
  expect(found.device).toMatch(device === 'cpu' ? /^CPU, \w+, \d+ threads$/ : /^NVIDIA .*, sm_\d+|emulated/);
});

if (!hasCuda)
  test('without a GPU the C library says why, and computes nothing elsewhere', () => {
    expect(python(cLibrary(), 'cpu', 'absent')).toEqual({ checks: 4, problems: [] });
  });

test('the header is C, and a program in C runs a kernel', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'c-api-'));
  try {
    writeFileSync(path.join(folder, 'main.c'), program);
    const flags = [
      '-std=c99',
      '-Wall',
      '-Wextra',
      '-pedantic',
      '-Werror',
      `-I${path.join(__dirname, '../../include')}`,
    ];
    // A library with sanitizers has symbols that are there only when the program runs; the compiler wants none of them.
    const linking = process.platform === 'linux' ? ['-Wl,--allow-shlib-undefined'] : [];
    const files = [path.join(folder, 'main.c'), cLibrary(), '-o', path.join(folder, 'main')];
    const built = spawnSync('cc', [...flags, ...files, ...linking], {
      encoding: 'utf8',
      env: { ...process.env, LD_PRELOAD: '' },
    });
    expect(built.stderr).toBe('');
    const run = spawnSync(path.join(folder, 'main'), {
      encoding: 'utf8',
      env: { ...process.env, LD_LIBRARY_PATH: path.dirname(cLibrary()) },
    });
    expect(run.stdout).toBe('0.841345 -0.158655\ngelu_forward: argument y: expected 2 x f32, got 3 x f32 on cpu\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const program = `#include <stdio.h>

#include "morphmlp.h"

int main(void) {
  float x[2] = {1, -1}, y[3];
  morphmlp_argument a[3] = {{"n", MORPHMLP_INTEGER, 0, 0, 2, 0, NULL},
                            {"x", MORPHMLP_TENSOR, MORPHMLP_F32, MORPHMLP_CPU, 2, 0, x},
                            {"y", MORPHMLP_TENSOR, MORPHMLP_F32, MORPHMLP_CPU, 2, 0, y}};
  if (morphmlp_run("gelu_forward", a, 3, NULL) != MORPHMLP_OK) return 1;
  printf("%f %f\\n", (double)y[0], (double)y[1]);
  a[2].integer = 3;
  if (morphmlp_run("gelu_forward", a, 3, NULL) == MORPHMLP_OK) return 1;
  printf("%s\\n", morphmlp_last_error());
  return 0;
}
`;
