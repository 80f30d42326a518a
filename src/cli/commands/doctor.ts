import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import { promisify } from 'node:util';
import { loadAddon, type TriedAddon } from '../../core/addon_path';
import { packageVersion } from '../../core/version';
import { describeNccl, installedLibraries } from '../../distributed/libraries';
import { decoderVersion } from '../../data/video/choose';

/** A program or library: its version, or the reason why it is unusable. */
export type Found = { version: string } | { missing: string };

/** Properties of the processor that kernels depend on. */
export interface CpuInfo {
  model: string;
  /** Available vector extensions for which kernels exist. */
  features: string[];
  physicalCores: number;
  /** Processors this process may use. */
  logicalCores: number;
}

/** The addon: its path and properties, or the reason why it could not be loaded. */
export type AddonInfo =
  | {
      file: string;
      instructionSets: string[];
      instructionSet: string;
      threads: number;
      cuda: string;
      /** Architectures of the addon's CUDA kernels; empty without CUDA. */
      cudaCompiled: string;
      /** MPI libraries that can be loaded: what several ranks need. */
      mpi: { library: string; version: string }[];
      /** NCCL: what several ranks with GPUs need. */
      nccl: Found;
      tried: TriedAddon[];
    }
  | { missing: string };

/** Result of a self-test of the kernels: one line per check, and whether all passed. */
export interface SelfTest {
  ok: boolean;
  lines: string[];
}

/** Report of `morphmlp doctor`. Memory is in bytes. */
export interface DoctorReport {
  version: string;
  node: string;
  platform: string;
  compiler: Found;
  cmake: Found;
  cpu: CpuInfo;
  memory: { total: number; available: number };
  /** The video decoder. */
  decoder: Found;
  cuda: { nvcc: Found; driver: Found; backend: string };
  addon: AddonInfo;
  selfTest?: SelfTest;
}

interface AddonStatus {
  isas(): string[];
  isa(): string;
  threads(): number;
  cudaStatus(): string;
  cudaCompiled(): string;
  cudaDevice(): string;
  mpiDescribe(library: string): string;
  ncclDescribe(library: string): string;
}

const KNOWN_FEATURES = ['sse4_2', 'avx', 'f16c', 'fma', 'avx2', 'avx512f', 'avx512bw', 'avx512vl', 'avx512dq'];
const OTHER_FEATURES = ['avx512_bf16', 'avx512_vnni', 'amx_bf16', 'asimd', 'asimdhp', 'bf16', 'sve'];
const run = promisify(execFile);

function firstLine(text: string): string {
  return (text.split('\n').find((line) => line.trim() !== '') ?? '').trim();
}

// Runs a program to read its version; `pick` extracts it from the output.
async function probe(program: string, args: string[], pick: (out: string) => string, hint: string): Promise<Found> {
  try {
    const { stdout } = await run(program, args, { timeout: 10000, env: process.env });
    return { version: pick(stdout) };
  } catch (error) {
    const { code, stderr } = error as { code?: string | number; stderr?: string };
    if (code === 'ENOENT') return { missing: `${program} is not on the PATH${hint}` };
    return { missing: `${program} failed: ${firstLine(stderr ?? '') || `exit status ${code}`}` };
  }
}

async function findCompiler(): Promise<Found> {
  for (const name of [process.env.CXX, 'g++', 'clang++'].filter((n): n is string => Boolean(n))) {
    const found = await probe(name, ['--version'], firstLine, '');
    if ('version' in found) return found;
  }
  return { missing: 'neither g++ nor clang++ is on the PATH (needed only to build the addon)' };
}

const findCmake = () => probe('cmake', ['--version'], firstLine, ' (needed only to build the addon)');

async function findDecoder(): Promise<Found> {
  try {
    return { version: await decoderVersion() };
  } catch (error) {
    return { missing: (error as Error).message };
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Number of distinct pairs of package and core in the text of /proc/cpuinfo; 0 if it has none. */
export function countPhysicalCores(cpuinfo: string): number {
  const cores = new Set<string>();
  for (const block of cpuinfo.split(/\n\n+/)) {
    const core = /^core id\s*:\s*(\d+)/m.exec(block)?.[1];
    if (core !== undefined) cores.add(`${/^physical id\s*:\s*(\d+)/m.exec(block)?.[1] ?? 0}:${core}`);
  }
  return cores.size;
}

/** Vector extensions in the text of /proc/cpuinfo, from old to new. */
export function cpuFeatures(cpuinfo: string): string[] {
  const flags = new Set((/^(?:flags|Features)\s*:\s*(.*)$/m.exec(cpuinfo)?.[1] ?? '').split(/\s+/));
  return [...KNOWN_FEATURES, ...OTHER_FEATURES].filter((name) => flags.has(name));
}

async function sysctl(name: string): Promise<string> {
  const found = await probe('sysctl', ['-n', name], firstLine, '');
  return 'version' in found ? found.version : '';
}

async function macCpu(): Promise<Partial<CpuInfo>> {
  const physicalCores = Number(await sysctl('hw.physicalcpu'));
  const flags = `${await sysctl('machdep.cpu.features')} ${await sysctl('machdep.cpu.leaf7_features')}`.toLowerCase();
  const bf16 = process.arch === 'arm64' && (await sysctl('hw.optional.arm.FEAT_BF16')) === '1' ? ['bf16'] : [];
  const features =
    process.arch === 'arm64' ? ['asimd', ...bf16] : KNOWN_FEATURES.filter((name) => flags.includes(name));
  return { physicalCores, features };
}

function linuxCpu(): Partial<CpuInfo> {
  const cpuinfo = readText('/proc/cpuinfo');
  return { physicalCores: countPhysicalCores(cpuinfo), features: cpuFeatures(cpuinfo) };
}

async function findCpu(): Promise<CpuInfo> {
  const { features = [], physicalCores = 0 } = process.platform === 'darwin' ? await macCpu() : linuxCpu();
  const logicalCores = os.availableParallelism();
  return {
    model: os.cpus()[0]?.model.trim() || process.arch,
    features,
    physicalCores: physicalCores || logicalCores,
    logicalCores,
  };
}

/** Total and available memory of the machine or its container, in bytes. */
function findMemory(): { total: number; available: number } {
  const limit = process.constrainedMemory?.() ?? 0;
  const total = limit > 0 && limit < os.totalmem() ? limit : os.totalmem();
  const kib = /^MemAvailable:\s*(\d+)/m.exec(readText('/proc/meminfo'))?.[1];
  return { total, available: Math.min(total, kib === undefined ? os.freemem() : Number(kib) * 1024) };
}

const LIBCUDA = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib/wsl/lib'];

// nvidia-smi reports the driver; without it, the driver's library and kernel module show what is missing.
async function findDriver(): Promise<Found> {
  const query = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'];
  const smi = await probe('nvidia-smi', query, (out) => out.trim().split('\n').join('; '), '');
  if ('version' in smi) return smi;
  const library = LIBCUDA.map((folder) => `${folder}/libcuda.so.1`).find(existsSync);
  const kernel = existsSync('/proc/driver/nvidia/version');
  if (library && kernel) return { version: `${library}; ${firstLine(readText('/proc/driver/nvidia/version'))}` };
  const absent = [library ? '' : 'no libcuda.so.1', kernel ? '' : 'no NVIDIA kernel module'].filter(Boolean);
  return { missing: `${smi.missing}; ${absent.join('; ')}` };
}

async function findNvcc(): Promise<Found> {
  const release = (out: string) => /release .*/.exec(out)?.[0] ?? firstLine(out);
  const found = await probe('nvcc', ['--version'], release, ' (needed only to build the CUDA backend)');
  return 'version' in found ? found : probeToolkit(found, release);
}

async function probeToolkit(otherwise: Found, release: (out: string) => string): Promise<Found> {
  const nvcc = '/usr/local/cuda/bin/nvcc';
  return existsSync(nvcc) ? probe(nvcc, ['--version'], release, '') : otherwise;
}

function findAddon(): AddonInfo {
  try {
    const { addon, file, tried } = loadAddon<AddonStatus>();
    return {
      file,
      tried,
      instructionSets: addon.isas(),
      instructionSet: addon.isa(),
      threads: addon.threads(),
      cuda: addon.cudaStatus() === 'available' ? addon.cudaDevice() : `no CUDA device: ${addon.cudaStatus()}`,
      cudaCompiled: addon.cudaCompiled(),
      mpi: installedLibraries(addon.mpiDescribe),
      nccl: describeNccl(addon.ncclDescribe),
    };
  } catch (error) {
    return { missing: (error as Error).message };
  }
}

/**
 * Inspects this machine: tools, processor, memory, decoder, CUDA and the addon. Missing items do not make it fail; each
 * has a reason. `selfTest` is called only if the addon loaded; an exception becomes a failed self-test.
 */
export async function collectDoctor(selfTest?: () => SelfTest | Promise<SelfTest>): Promise<DoctorReport> {
  const [compiler, cmake, decoder, nvcc, driver, cpu] = await Promise.all([
    findCompiler(),
    findCmake(),
    findDecoder(),
    findNvcc(),
    findDriver(),
    findCpu(),
  ]);
  const addon = findAddon();
  const backend = 'cuda' in addon ? addon.cuda : 'the addon is not loaded';
  const report: DoctorReport = {
    version: packageVersion(),
    node: process.version,
    platform: `${process.platform}-${process.arch}, ${os.type()} ${os.release()}`,
    compiler,
    cmake,
    cpu,
    memory: findMemory(),
    decoder,
    cuda: { nvcc, driver, backend },
    addon,
  };
  return selfTest && !('missing' in addon) ? { ...report, selfTest: await attempt(selfTest) } : report;
}

async function attempt(selfTest: () => SelfTest | Promise<SelfTest>): Promise<SelfTest> {
  try {
    return await selfTest();
  } catch (error) {
    return { ok: false, lines: [(error as Error).message] };
  }
}
