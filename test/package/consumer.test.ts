import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { placeAddon, removePackage, root, unpackPackage } from './package_copy';

const copy = unpackPackage();
const { consumer, installed } = copy;
afterAll(() => removePackage(copy));

function node(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const env = { ...process.env, NODE_OPTIONS: '', MORPHMLP_ADDON: '' };
  return spawnSync(process.execPath, args, { cwd: consumer, encoding: 'utf8', env });
}

function typeCheck(module: string, moduleResolution: string): string {
  const options = {
    strict: true,
    noEmit: true,
    module,
    moduleResolution,
    target: 'es2022',
    lib: ['es2023'],
    types: [],
  };
  writeFileSync(path.join(consumer, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['use.ts'] }));
  return node(path.join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', consumer).stdout;
}

describe('a project that depends on the package', () => {
  test.each([
    ['node16', 'node16'],
    ['esnext', 'bundler'],
  ])('is type-checked with its types (module %s, resolution %s)', (module, resolution) => {
    writeFileSync(
      path.join(consumer, 'use.ts'),
      `import { type ClipBatches, crossEntropy, type DataLoader, defineOp, forwardAsync, nn, optim, tensor, type Tensor, topk } from 'morphmlp';
       const t: Tensor = tensor([[1, 2], [3, 4]]);
       export const rows: number | undefined = t.shape[0];
       // @ts-expect-error: a string is not a tensor
       tensor('wrong');
       const loss: Tensor = t.add(1).mul(t).sum(1).mean({ keepDims: true });
       loss.backward();
       const net = new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU());
       const made: Tensor = net.forward(t).softmax(-1);
       // @ts-expect-error: an option that does not exist
       made.sum({ dim: 1 });
       // @ts-expect-error: softmax has one axis
       made.softmax(0, 1);
       export const square = defineOp({
         name: 'square',
         forward: (x: Tensor, factor: number) => ({ output: x.mul(factor), saved: { x } }),
         backward: (dy, { x }, { args }) => [dy.mul(x).mul(args[1])],
       });
       export const also: Tensor = square(t, 2);
       // @ts-expect-error: the op takes a number
       square(t, 'two');
       export const best: Tensor = topk(made, 1, { largest: false }).indices;
       export const optimizer = new optim.Adadelta(net.parameters(), { rho: 0.9 });
       // @ts-expect-error: ReLU takes no arguments
       new nn.ReLU(true);
       export async function served(clips: ClipBatches): Promise<Tensor[]> {
         const found: Tensor[] = [];
         for await (const { x } of clips) found.push(await forwardAsync(net, x));
         return found;
       }
       export async function train(loader: DataLoader<[Tensor, number], [Tensor, Tensor]>): Promise<void> {
         for await (const [x, labels] of loader) crossEntropy(net.forward(x), labels, { ignoreIndex: -1 }).backward();
       }`,
    );
    expect(typeCheck(module, resolution)).toBe('');
  });

  test('learns what was tried and what to run if install scripts did not run', () => {
    const { status, stderr } = node('-e', 'require("morphmlp")');
    expect(status).not.toBe(0);
    expect(stderr).toContain('the native addon of morphmlp could not be loaded. Tried:');
    for (const place of ['build/Release', 'native/build/Release', 'prebuilds'])
      expect(stderr).toContain(path.join(installed, place));
    expect(stderr).toContain(`node ${path.join(installed, 'tools', 'install', 'install.cjs')}`);
    expect(stderr).toContain('--ignore-scripts');
  });

  test('gets version and help from the command line without an addon', () => {
    const bin = path.join(installed, 'bin', 'morphmlp.js');
    expect(node(bin, '--version').stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(node(bin, '--help').stdout).toContain('doctor');
    const { status, stdout } = node(bin, 'doctor');
    expect(stdout).toContain('addon       none: the native addon of morphmlp could not be loaded');
    expect(status).toBe(1);
  });

  test('loads it with require and with import', () => {
    placeAddon(installed, 'build/Release/morphmlp.node');
    expect(node('-p', 'require("morphmlp").tensor([1, 2]).shape[0]').stdout).toBe('2\n');
    const run = 'import { tensor } from "morphmlp"; console.log(tensor([1, 2, 3]).shape[0])';
    expect(node('--input-type=module', '-e', run)).toMatchObject({ stdout: '3\n', status: 0 });
    rmSync(path.join(installed, 'build'), { recursive: true });
  });

  test('cannot reach into it past the exports', () => {
    expect(node('-e', 'require("morphmlp/dist/native.js")').stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });

  test('skips an addon that does not load and uses the next', () => {
    placeAddon(installed, 'native/build/Release/morphmlp.node');
    placeAddon(installed, 'build/Release/morphmlp.node', __filename);
    const { stdout } = node(path.join(installed, 'bin', 'morphmlp.js'), 'doctor');
    expect(stdout).toMatch(/addon {7}.*native\/build\/Release\/morphmlp\.node/);
    expect(stdout).toMatch(/not loaded {2}.*\/build\/Release\/morphmlp\.node: /);
  });
});
