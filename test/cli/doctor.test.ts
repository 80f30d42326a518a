import { collectDoctor, countPhysicalCores, cpuFeatures, type DoctorReport } from '../../src/cli/commands/doctor';
import { doctorText } from '../../src/cli/commands/doctor_text';

const cpuinfo = (cores: [number, number][]) =>
  cores
    .map(
      ([p, c], i) =>
        `processor\t: ${i}\nphysical id\t: ${p}\ncore id\t\t: ${c}\nflags\t\t: fpu fma avx2 sse4_2 avx512fake\n`,
    )
    .join('\n');

async function withPath<T>(PATH: string, body: () => Promise<T>): Promise<T> {
  const before = process.env.PATH;
  process.env.PATH = PATH;
  try {
    return await body();
  } finally {
    process.env.PATH = before;
  }
}

describe('doctor', () => {
  test('counts each core once, however many hardware threads and packages there are', () => {
    const twoThreadsACore: [number, number][] = [[0, 0], [0, 1], [0, 0], [0, 1], [1, 0], [1, 0]]; // prettier-ignore
    expect(countPhysicalCores(cpuinfo(twoThreadsACore))).toBe(3);
    expect(countPhysicalCores('processor: 0\n')).toBe(0);
  });

  test('names the vector extensions by whole words, old before new', () => {
    expect(cpuFeatures(cpuinfo([[0, 0]]))).toEqual(['sse4_2', 'fma', 'avx2']);
    expect(cpuFeatures('Features\t: fp asimd bf16\n')).toEqual(['asimd', 'bf16']);
  });

  test('reports this machine', async () => {
    const report = await collectDoctor();
    expect(report.node).toBe(process.version);
    expect(report.cpu.physicalCores).toBeGreaterThanOrEqual(1);
    expect(report.memory.available).toBeLessThanOrEqual(report.memory.total);
    expect(report.addon).toMatchObject({ file: expect.stringMatching(/\.node$/) as string });
    expect(report.selfTest).toBeUndefined();
  });

  test('gives the reason for each missing tool instead of failing', async () => {
    const report = await withPath('/nowhere', () => collectDoctor());
    expect(report.cmake).toEqual({ missing: 'cmake is not on the PATH (needed only to build the addon)' });
    expect(report.decoder).toEqual({ version: expect.stringMatching(/^node-av 6\.\d+\.\d+ \(FFmpeg 8/) as string });
    expect(report.compiler).toMatchObject({ missing: expect.stringContaining('neither g++ nor clang++') as string });
  });

  test('reports an exception of the self-test as a failed self-test', async () => {
    const failing = () => {
      throw new Error('linear is wrong');
    };
    expect((await collectDoctor(failing)).selfTest).toEqual({ ok: false, lines: ['linear is wrong'] });
    const passing = { ok: true, lines: ['linear: 1e-7'] };
    expect((await collectDoctor(() => passing)).selfTest).toEqual(passing);
  });

  test('prints one line per item, with aligned values', async () => {
    const report: DoctorReport = { ...(await collectDoctor()), selfTest: { ok: false, lines: ['gelu: NaN'] } };
    const lines = doctorText(report).split('\n');
    expect(lines.filter((line) => line[11] !== ' ' || line[12] === ' ')).toEqual([]);
    expect(lines.slice(-2)).toEqual(['self-test   FAILED', '            gelu: NaN']);
  });

  test.each([
    ['avx512bf16', 'bf16        twice the multiply-adds of f32 per cycle: --precision bf16 is faster'],
    [
      'neonbf16',
      'bf16        two multiply-adds for one of f32 in an instruction: --precision bf16 should be faster (not measured)',
    ],
    ['avx512', 'bf16        these kernels compute it in f32: --precision bf16 takes less memory, but is not faster'],
  ])('says what bf16 brings with %s', async (instructionSet, line) => {
    const report = await collectDoctor();
    const addon = { ...report.addon, instructionSet } as DoctorReport['addon'];
    expect(doctorText({ ...report, addon }).split('\n')).toContain(line);
  });
});
