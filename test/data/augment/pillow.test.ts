import { readFileSync } from 'node:fs';
import path from 'node:path';
import { rotation, shear, shift, transform, type Interpolation, type Matrix } from '../../../src/data/augment/affine';
import { applyAugment, type AugmentOp } from '../../../src/data/augment';

interface Fixture {
  width: number;
  height: number;
  cases: { squeezed: boolean; name: string; value: number; bytes: string }[];
}

const FILE = path.join(__dirname, '..', '..', 'fixtures', 'augment', 'pillow.json');
const { width, height, cases } = JSON.parse(readFileSync(FILE, 'utf8')) as Fixture;

/** The picture of the fixture; see make.py. */
function picture(squeezed: boolean): Uint8Array {
  const values = Array.from(
    { length: width * height * 3 },
    (_, i) => (i * i * 31 + i * 7 + Math.floor(i / 51) * 40) % 256,
  );
  return Uint8Array.from(squeezed ? values.map((v) => 60 + Math.floor((v * 120) / 255)) : values);
}

const MATRICES: Record<string, (value: number) => Matrix> = {
  rotate: (value) => rotation(value, { width, height }),
  shearX: (value) => shear(value, false),
  shearY: (value) => shear(value, true),
  shiftX: (value) => shift(value, false),
  shiftY: (value) => shift(value, true),
};

function opOf(name: string, value: number): AugmentOp {
  const [kind, interpolation] = name.split('.') as [string, Interpolation?];
  if (interpolation) return { name: 'affine', matrix: MATRICES[kind]!(value), interpolation };
  return { name: kind, value } as AugmentOp;
}

test.each(cases.map((c) => [c.name, c.value, c.squeezed ? 'squeezed' : 'whole', c] as const))(
  "%s %p of the %s picture is Pillow's to the bit, in every frame",
  (name, value, _, { squeezed, bytes }) => {
    const one = picture(squeezed);
    const other = picture(!squeezed);
    const clip = new Uint8Array([...one, ...other, ...one]);
    const got = applyAugment(clip, { frames: 3, height, width }, [opOf(name, value)]);
    const wanted = new Uint8Array(Buffer.from(bytes, 'base64'));
    expect(got.subarray(0, wanted.length)).toEqual(wanted);
    expect(got.subarray(2 * wanted.length)).toEqual(wanted);
  },
);

test('the identity returns the clip', () => {
  const clip = picture(false);
  for (const interpolation of ['bilinear', 'bicubic'] as const)
    expect(transform(clip, { frames: 1, height, width }, [1, 0, 0, 0, 1, 0], interpolation)).toEqual(clip);
});
