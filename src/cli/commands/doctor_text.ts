import { isFasterInBf16, multipliesBf16 } from '../../core/instruction_sets';
import type { AddonInfo, DoctorReport, Found, SelfTest } from './doctor';

const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
const found = (f: Found) => ('version' in f ? f.version : `none: ${f.missing}`);

const FAST_BF16 = 'twice the multiply-adds of f32 per cycle: --precision bf16 is faster';
const UNMEASURED_BF16 =
  'two multiply-adds for one of f32 in an instruction: --precision bf16 should be faster (not measured)';
const SLOW_BF16 = 'these kernels compute it in f32: --precision bf16 takes less memory, but is not faster';

function bf16Text(isa: string): string {
  if (isFasterInBf16(isa)) return FAST_BF16;
  return multipliesBf16(isa) ? UNMEASURED_BF16 : SLOW_BF16;
}

const mpiText = (found: Extract<AddonInfo, { file: string }>['mpi']): string =>
  found.map(({ library, version }) => `${version} (${library})`).join('\n') ||
  'none: train runs as one process (Debian: openmpi-bin or mpich)';

function addonRows(addon: AddonInfo): [string, string][] {
  if ('missing' in addon) return [['addon', `none: ${addon.missing}`]];
  const skipped = addon.tried.filter(({ reason }) => reason !== 'not found');
  return [
    ['addon', addon.file],
    ...skipped.map(({ file, reason }): [string, string] => ['not loaded', `${file}: ${reason}`]),
    ['kernels', `${addon.instructionSet} (this machine has ${addon.instructionSets.join(', ')})`],
    ['bf16', bf16Text(addon.instructionSet)],
    ['threads', String(addon.threads)],
    ['MPI', mpiText(addon.mpi)],
    ['NCCL', found(addon.nccl)],
  ];
}

function cudaKernels(addon: AddonInfo): string[] {
  if ('missing' in addon || addon.cudaCompiled === '') return [];
  return [`kernels for ${addon.cudaCompiled}`];
}

function selfTestRows(selfTest: SelfTest | undefined): [string, string][] {
  if (!selfTest) return [];
  return [['self-test', [selfTest.ok ? 'passed' : 'FAILED', ...selfTest.lines].join('\n')]];
}

function rows(r: DoctorReport): [string, string][] {
  return [
    ['morphmlp', r.version],
    ['Node', `${r.node}, ${r.platform}`],
    ['compiler', found(r.compiler)],
    ['CMake', found(r.cmake)],
    ['CPU', `${r.cpu.model}: ${r.cpu.physicalCores} cores, ${r.cpu.logicalCores} hardware threads`],
    ['features', r.cpu.features.join(' ') || 'unknown'],
    ['memory', `${gib(r.memory.total)}, ${gib(r.memory.available)} free`],
    ...addonRows(r.addon),
    ['decoder', found(r.decoder)],
    ['CUDA', [r.cuda.backend, ...cudaKernels(r.addon)].join('\n')],
    ['nvcc', found(r.cuda.nvcc)],
    ['GPU driver', found(r.cuda.driver)],
    ...selfTestRows(r.selfTest),
  ];
}

/** The report as lines of a name and a value, the values in one column. */
export function doctorText(report: DoctorReport): string {
  const width = 12;
  const indent = (text: string) => text.split('\n').join(`\n${' '.repeat(width)}`);
  return rows(report)
    .map(([name, value]) => name.padEnd(width) + indent(value))
    .join('\n');
}
