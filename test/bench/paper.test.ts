import { TimedNetwork } from '../../src/bench/models/network';
import { countRow } from '../../src/bench/paper/measure';
import { PAPER, TABLES } from '../../src/bench/paper/tables';
import { withLayer } from '../../src/core/dispatch';
import { measured } from '../support/count_kernels';
import { runCli } from '../support/run_cli';
import { SMALL_NETWORK } from '../support/small_network';
import { instead } from '../support/spoil';

test.each(PAPER.map((entry) => [`table ${entry.table}: ${entry.name}`, entry] as const))(
  '%s costs what its built network does, within 2 percent of the paper',
  (_, entry) => {
    const { params, macs, paper, views, note } = countRow(entry);
    expect({ params, macs }).toEqual(measured(entry.config));
    const near = (ours: number, theirs: number | null) => theirs === null || Math.abs(ours / theirs - 1) < 0.02;
    expect(near((macs / 1e9) * views.crops * views.clips, paper.gmacs)).toBe(true);
    expect(near(params / 1e6, paper.params)).toBe(!/38M/.test(note ?? ''));
  },
);

test('every table is present with unique row names', () => {
  for (const table of TABLES) {
    const names = PAPER.filter((entry) => entry.table === table).map(({ name }) => name);
    expect(names.length).toBeGreaterThan(2);
    expect(new Set(names).size).toBe(names.length);
  }
});

test('a wrong fused kernel is detected before timing', () => {
  const network = new TimedNetwork({ config: SMALL_NETWORK, batch: 2, simple: false });
  expect(network.verify()).toBeLessThan(2e-6);
  const wrong = instead('norm_mlp_forward', (args, original) => original({ ...args, eps: 1 }));
  expect(() => withLayer(wrong, () => network.verify())).toThrow(
    /^the logits differ from those of simple ops by \d.*, allowed 0.00001$/,
  );
  network.dispose();
});

test('logits that change from run to run are detected', () => {
  const network = new TimedNetwork({ config: SMALL_NETWORK, batch: 1, simple: true });
  network.run();
  const nothing = instead('linear_forward', () => undefined); // leaves the NaN with which the memory was filled
  expect(() => withLayer(nothing, () => network.run())).toThrow(
    'the logits are not finite or differ from those of the first run',
  );
  network.dispose();
});

const paper = (...args: string[]) => runCli(['bench', 'paper', ...args]);

test('bench paper counts all tables without timing', () => {
  const { status, out } = paper('--no-time');
  expect(status).toBe(0);
  expect(out).toMatch(/image-s +40.55M +38M +\+6.7% +6.94 +7 +-0.8%/);
  expect(out).toMatch(/video-s 16x1x4 +47.04M +66.0 +264.1 +268 +-1.5%/);
  expect(out).toMatch(/conv 7x7 +112.94M +113M +-0.1% +20.6 +20.6 +-0.1%/);
  expect(out).toContain("image-s: the paper lists 38M parameters; the authors' code has 40.55M");
});

test('bench paper refuses unknown and unsupported tables', () => {
  const { status, err } = paper('--table', '1,2');
  expect(status).toBe(1);
  expect(err).toMatch(/Expected tables of the paper \(1, 3, 4, 5, 8, 9, 10\), separated by commas/);
});
