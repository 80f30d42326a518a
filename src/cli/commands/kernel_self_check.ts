import { l2norm, value } from '../../formats/reference';
import { fmaPeak, instructionSet, threads } from '../../core/runtime';
import { layerNorm } from '../../ops/layer_norm';
import { linear } from '../../ops/linear';
import { morphFc } from '../../ops/morph_fc';
import { scope } from '../../core/scope';
import { tensor } from '../../core/tensor';
import type { SelfTest } from './doctor';

/** Output of a kernel and of its float64 reference. */
interface Check {
  name: string;
  got: Float32Array;
  wanted: Float64Array;
}

const ALLOWED = 1e-6;

/** y = x weightᵀ in float64, rows of `k`. */
function product(x: ArrayLike<number>, weight: Float32Array, k: number): Float64Array {
  const n = weight.length / k;
  return Float64Array.from({ length: (x.length / k) * n }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < k; j++) sum += (x[Math.floor(i / n) * k + j] as number) * weight[(i % n) * k + j]!;
    return sum;
  });
}

function checkLinear(): Check {
  const [x, weight] = [value('x', [37, 84]), value('w', [50, 84])];
  const got = linear(tensor(x, [37, 84]), tensor(weight, [50, 84]), null).floats();
  return { name: 'linear', got, wanted: product(x, weight, 84) };
}

/** One frame of 4 × 7 tokens, chunks of 14 along its rows. */
function checkMorphFc(): Check {
  const [chunk, channels, tokens] = [14, 28, 28];
  const [x, weight] = [value('x', [tokens * channels]), value('w', [channels, channels])];
  const run = channels / chunk;
  const place = Array.from({ length: tokens * channels }, (_, i) => {
    const [row, at] = [Math.floor(i / channels), i % channels];
    const token = Math.floor(row / chunk) * chunk + Math.floor(at / run);
    return token * channels + (row % chunk) * run + (at % run);
  });
  const rows = product(
    place.map((p) => x[p] as number),
    weight,
    channels,
  );
  const wanted = new Float64Array(rows.length);
  place.forEach((p, i) => (wanted[p] = rows[i]!));
  const options = { axis: 'width', chunk } as const;
  const got = morphFc(tensor(x, [1, 1, 4, 7, channels]), tensor(weight, [channels, channels]), null, options).floats();
  return { name: 'morph_fc', got, wanted };
}

function checkLayerNorm(): Check {
  const [rows, cols] = [9, 45];
  const x = value('x', [rows, cols]);
  const ones = new Float32Array(cols).fill(1);
  const wanted = Float64Array.from(x, (v, i) => {
    const row = x.subarray(Math.floor(i / cols) * cols, (Math.floor(i / cols) + 1) * cols);
    const mean = row.reduce((a, b) => a + b, 0) / cols;
    return (v - mean) / Math.sqrt(row.reduce((a, b) => a + (b - mean) ** 2, 0) / cols + 1e-5);
  });
  const got = layerNorm(tensor(x, [rows, cols]), tensor(ones), tensor(new Float32Array(cols))).floats();
  return { name: 'layer_norm', got, wanted };
}

function describe({ name, got, wanted }: Check): { ok: boolean; line: string } {
  const error = l2norm(wanted.map((w, i) => w - got[i]!)) / l2norm(wanted);
  const ok = error <= ALLOWED;
  return { ok, line: `${ok ? 'ok    ' : 'FAILED'} ${name}: error ${error.toExponential(1)} against float64` };
}

/** Three kernels against float64, and the machine's FMA peak: about a second. */
export function selfTest(): SelfTest {
  const checks = scope(() => [checkLinear(), checkMorphFc(), checkLayerNorm()].map(describe));
  const peak = `${fmaPeak(0.5).toFixed(0)} GFLOP/s FMA peak (${instructionSet()}, ${threads()} threads)`;
  return { ok: checks.every((c) => c.ok), lines: [...checks.map((c) => c.line), peak] };
}
