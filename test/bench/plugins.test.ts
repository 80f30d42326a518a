import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { faultyPlugin } from '../support/plugins';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const plugin = (fault: string) => faultyPlugin(folder, fault);
const check = (file: string, ...more: string[]) => runCli(['kernel', 'check', file, ...more]);

test.each<[string, RegExp]>([
  ['zeros', /the output of .* is wrong: relative error 1\.0e\+0/],
  ['stale', /the output of .* is wrong/],
  ['unwritten', /the output of .* is wrong/],
  ['off by one chunk', /the output of .* is wrong/],
  ['transposed', /the output of .* is wrong/],
  ['one nan', /element \d+ is NaN/],
  ['reads past', /crashed: accessed memory out of bounds \(SIGSEGV\) while verifying .*, forward/],
  ['writes past', /wrote behind its tensor y|crashed: accessed/],
  ['writes input', /wrote to its input x/],
  ['null', /crashed: accessed memory out of bounds \(SIGSEGV\) while verifying .*, forward/],
  ['aborts', /crashed: aborted .*\(SIGABRT\) while verifying .*, forward/],
  ['exits', /ended the process itself, with exit status 0 while verifying .*, forward/],
  ['throws', /forward of morph_fc: thrown by the kernel/],
  ['sleeps', /hangs: no progress for 10 s while verifying .*, forward \(--timeout waits longer\)/],
  ['wrong gradient', /gradients of .* are wrong/],
  ['unsupported', /unsupported: it is made for nothing/],
  ['fails', /forward of morph_fc: the moon is full/],
  ['other version', /it was built for version 3 of morphmlp_kernel.h; this program has version 2/],
])('a kernel with the fault %s is detected and reported in one line', (fault, message) => {
  const { status, err } = check(plugin(fault), '--timeout', '10');
  expect(err).toMatch(message);
  expect(err).not.toMatch(/\n\s+at /);
  expect(status).toBe(1);
});

test('a file that is not a plugin is refused with a clear message', () => {
  writeFileSync(at('text.so'), 'no library');
  expect(check(at('text.so')).err).toMatch(/text\.so: .*(invalid ELF header|file too short|not a mach-o)/);
  expect(check(at('missing.so')).err).toMatch(/missing\.so: .*(No such file|no such file)/);
});

test('the command at the top of a new kernel compiles it', () => {
  runCli(['kernel', 'new', 'by_hand_gelu', '--out', folder]);
  const text = readFileSync(at('by_hand_gelu.cc'), 'utf8');
  const line = /^\/\/ The first runs (.*)$/m.exec(text)![1]!;
  const bin = path.join(__dirname, '..', '..', 'bin', 'morphmlp.js');
  execFileSync('bash', ['-c', `morphmlp() { '${process.execPath}' '${bin}' "$@"; }; cd '${folder}' && ${line}`]);
  expect(check(at('by_hand_gelu.so'))).toMatchObject({ status: 0 });
});

test.each([
  [['new', 'mine'], /mine ends in the name of no op; name one with --op: gelu, layer_norm/],
  [['new', 'mine', '--op', 'conv'], /--op conv is not one of gelu/],
  [['new', '../gelu'], /'..\/gelu' cannot name a kernel/],
  [['build', 'missing.cc'], /missing.cc: no such file/],
  [
    ['build', __filename],
    /expected C\+\+ \(.cc, .cpp, .cxx\), C \(.c\), Rust \(.rs\), CUDA \(.cu\) or assembly \(.S\)/,
  ],
])('kernel %j is one clear sentence', (args, message) => {
  const { status, err } = runCli(['kernel', ...args]);
  expect(err).toMatch(message);
  expect(err).not.toMatch(/\n\s+at /);
  expect(status).toBe(1);
});

test('an existing kernel is not overwritten', () => {
  writeFileSync(at('own_gelu.cc'), 'mine');
  expect(runCli(['kernel', 'new', 'own_gelu', '--out', folder]).err).toMatch(/own_gelu.cc is there already/);
  expect(readFileSync(at('own_gelu.cc'), 'utf8')).toBe('mine');
});
