import { backward } from '../../src/core/autograd';
import { uniform } from '../../src/bench/op_cases/random';
import { VARIANTS, type MorphMlpConfig } from '../../src/models/config';
import { MorphMLP } from '../../src/models/morphmlp';
import { morphFc } from '../../src/ops/morph_fc';
import { scope } from '../../src/core/scope';
import { chunkOf, groupOf, type Cut } from '../../src/study/chunks';
import { fieldsOf, levelsOf, shareOf } from '../../src/study/receptive_field';
import { inputGradients, middleOf, studyMixing } from '../../src/study/mixing';
import { randomSubject, STUDY_MODELS } from '../../src/study/subject';
import { tensor } from '../../src/core/tensor';

/** The token at position l of chunk j by the definition of MorphMLP; null beyond the frame. */
function tokenAt(j: number, l: number, h: number, w: number, { axis, chunk: L, order }: Cut): number | null {
  const n = order === 'consecutive' ? j * L + l : l * Math.ceil((h * w) / L) + j;
  if (n >= h * w) return null;
  if (axis === 'width') return n; // n = h · W + w
  const [column, row] = [Math.floor(n / h), n % h]; // n = w · H + h
  return row * w + column;
}

const CUTS: Cut[] = [
  { axis: 'width', chunk: 4, order: 'consecutive' },
  { axis: 'height', chunk: 4, order: 'consecutive' },
  { axis: 'width', chunk: 6, order: 'strided' },
];
const FRAMES = [
  [4, 4],
  [3, 5],
  [7, 7],
] as const;

describe.each(CUTS)('a cut along $axis, L = $chunk, $order', (cut) => {
  test.each(FRAMES)('agrees with the formulas on %d × %d', (h, w) => {
    const seen = new Set<number>();
    for (let j = 0; j < Math.ceil((h * w) / cut.chunk); j++)
      for (let l = 0; l < cut.chunk; l++) {
        const token = tokenAt(j, l, h, w, cut);
        if (token === null) continue;
        seen.add(token);
        expect(chunkOf(token, [h, w], cut)).toEqual({ chunk: j, place: l });
      }
    expect(seen.size).toBe(h * w);
  });

  test.each(FRAMES)('agrees with the tokens that the kernel mixes on %d × %d', (h, w) => {
    const c = 2 * cut.chunk;
    const [token, channel] = [Math.floor((h * w) / 2), 3];
    const gradient = scope(() => {
      const x = tensor(uniform(1, h * w * c), [1, 1, h, w, c], { requiresGrad: true });
      const y = morphFc(x, tensor(uniform(2, c * c), [c, c]), null, cut);
      const dy = new Float32Array(h * w * c);
      dy[token * c + channel] = 1;
      backward(y, tensor(dy, y.shape));
      return x.grad!.floats();
    });
    const own = chunkOf(token, [h, w], cut).chunk;
    const expected = Array.from(gradient, (_, i) => {
      const [other, k] = [Math.floor(i / c), i % c];
      const mixed =
        chunkOf(other, [h, w], cut).chunk === own && groupOf(k, c, cut.chunk) === groupOf(channel, c, cut.chunk);
      return mixed ? 1 : 0;
    });
    expect(Array.from(gradient, (g) => (g === 0 ? 0 : 1))).toEqual(expected);
  });
});

test('a chunk of 28 on a frame 14 wide contains two rows', () => {
  const cut: Cut = { axis: 'width', chunk: 28, order: 'consecutive' };
  const chunks = Array.from({ length: 196 }, (_, token) => chunkOf(token, [14, 14], cut).chunk);
  expect(chunks.slice(0, 28)).toEqual(Array(28).fill(0));
  expect(chunks[28]).toBe(1);
});

const SMALL: MorphMlpConfig = {
  ...VARIANTS['quickstart']!.config,
  ...{ layers: [1, 2, 1, 1], embedDims: [8, 12, 16, 16], segmentDim: [4, 6, 8, 4], frames: 6, numClasses: 2 },
};

/** A model with random weights, including temporal FCs; `cut`: branch weights do not depend on the tokens. */
function genericModel(config: MorphMlpConfig, cut: boolean): MorphMLP {
  const network = new MorphMLP(config);
  network.namedParameters().forEach(([name, p], i) => {
    const fanIn = p.size / p.shape[0]!;
    const scale = p.ndim > 1 ? Math.sqrt(3 / fanIn) : 0.3;
    const offset = /norm\d?\.weight$/.test(name) ? 1 : 0;
    p.copyFrom(uniform(i, p.size, cut && name.endsWith('reweight.fc2.weight') ? 0 : scale, offset));
  });
  return network;
}

/** 1 for each pixel with a nonzero gradient in some channel. */
function reachedBy(network: MorphMLP, crop: number, level: number, tokens: readonly number[]): Uint8Array[] {
  const { kind, frames } = network.config;
  const shape = [1, 3, kind === 'video' ? frames : 1, crop, crop];
  const pixels = shape.slice(2).reduce((a, b) => a * b, 1);
  const found: Uint8Array[] = [];
  inputGradients(network, { x: uniform(7, 3 * pixels), shape }, level, tokens, (_, gradient) => {
    if (!gradient.every(Number.isFinite)) throw new Error('a gradient is not finite');
    found.push(
      Uint8Array.from({ length: pixels }, (_p, i) => ([0, 1, 2].some((c) => gradient[c * pixels + i] !== 0) ? 1 : 0)),
    );
  });
  return found;
}

const IMAGE: MorphMlpConfig = { ...SMALL, kind: 'image', frames: 1 };

describe.each([
  ['video', SMALL, 64],
  ['video, frames that chunks do not fill', SMALL, 72],
  ['image', IMAGE, 96],
] as const)('the exact field of a %s model', (_, config, crop) => {
  const levels = levelsOf(config, crop);
  const cut = genericModel(config, true);
  const whole = genericModel(config, false);
  afterAll(() => [cut, whole].forEach((network) => network.dispose()));

  test.each(levels.map(({ name }, i) => [name, i] as const).slice(1))(
    'is where the gradients of %s are',
    (_name, level) => {
      const { size } = levels[level]!;
      const last = size.reduce((a, b) => a * b, 1) - 1;
      const tokens = [...new Set([0, middleOf(size), last])];
      reachedBy(cut, crop, level, tokens).forEach((reached, i) => {
        const field = fieldsOf(levels, level, tokens[i]!)[0]!;
        const outside = reached.filter((v, pixel) => v > field[pixel]!).length;
        const missed = field.filter((v, pixel) => v > reached[pixel]!).length;
        expect({ outside, missed }).toEqual({ outside: 0, missed: 0 });
      });
    },
  );

  test('is the whole clip through the weights of the branches', () => {
    const level = levels.findIndex(({ name }) => name === 'blocks1.0');
    const token = middleOf(levels[level]!.size);
    const field = fieldsOf(levels, level, token, { weights: true })[0]!;
    expect(shareOf(fieldsOf(levels, level, token)[0]!)).toBeLessThan(1);
    expect([...reachedBy(whole, crop, level, [token])[0]!]).toEqual([...field]);
  });
});

test('the small model has nontrivial receptive fields', () => {
  const levels = levelsOf(SMALL, 64);
  const at = levels.findIndex(({ name }) => name === 'blocks1.0');
  const share = (ways = {}) => shareOf(fieldsOf(levels, at, middleOf(levels[at]!.size), ways)[0]!);
  expect(share()).toBeGreaterThan(share({ time: false }));
  expect(share({ time: false })).toBeGreaterThan(share({ time: false, branches: ['width'] }));
  expect(share({ time: false, branches: ['width'] })).toBeGreaterThan(share({ time: false, branches: [] }));
});

test('levels of video-s agree with the paper', () => {
  const levels = levelsOf(STUDY_MODELS['video-s']!, 224);
  const sizes = levels.filter(({ name }) => !name.startsWith('blocks')).map(({ size }) => size.join('×'));
  expect(sizes).toEqual(['16×224×224', '8×56×56', '8×28×28', '8×14×14', '8×7×7']);
  expect(levels).toHaveLength(1 + 4 + 19);
});

test('growth is monotonic, and maps decode to the measured gradients', () => {
  const subject = randomSubject('quickstart', 32);
  const { levels, growth, sensitivities, clip } = studyMixing(subject, { tokens: 2 });
  subject.network.dispose();
  expect(clip).toBeNull();
  for (const key of ['all', 'space', 'width', 'height', 'convolutions'] as const)
    growth.slice(1).forEach((g, i) => expect(g[key]).toBeGreaterThanOrEqual(growth[i]![key] - 0.02));
  expect(sensitivities.map(({ level }) => levels[level]!.name)).toContain('blocks3.1');
  for (const { map, size, largest, outside } of sensitivities) {
    const bytes = Buffer.from(map, 'base64');
    expect(bytes).toHaveLength(size[0] * size[1] * size[2]);
    expect(Math.max(...bytes)).toBe(255);
    expect(largest).toBeGreaterThan(0);
    expect(outside).toBeGreaterThanOrEqual(0);
    expect(outside).toBeLessThan(1);
  }
});
