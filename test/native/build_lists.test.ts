import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

const native = path.join(__dirname, '..', '..', 'native');

/** The targets of an architecture by native/sources.cjs, which CMake asks for them. */
const targetsOf = (arch: string): string[] =>
  execFileSync(process.execPath, [path.join(native, 'sources.cjs'), 'gyp_targets', arch], { encoding: 'utf8' })
    .trim()
    .split('\n');

test('the fall-back build by node-gyp, which writes them down, has a target for each instruction set', () => {
  const file = readFileSync(path.join(native, 'binding.gyp'), 'utf8');
  const targets = [...file.matchAll(/'target_name': '(cpu_\w+)'/g)].map((found) => found[1]);
  expect(targets).toEqual([...targetsOf('x64'), ...targetsOf('arm64')]);
});
