import pc from 'picocolors';
import { verifyChecksums } from '../../formats/checkpoint';
import { withFile } from '../../formats/file';
import { printable } from '../../terminal/text_width';
import type { Device } from '../../core/native';
import { setDefaultDevice } from '../../core/tensor';
import { deviceText } from './device_text';
import { checkModel, checkTrajectory, type Finding, type ModelCase, type TrajectoryCase } from './reference_case';

/** Arguments of `morphmlp verify`. */
export interface VerifyArguments {
  device: Device;
  case?: string;
}

type Case = ModelCase | TrajectoryCase;

/** Cases of a reference file. @throws if the file has another format */
export function readCases(file: string, only?: string): [string, Case][] {
  const text = withFile(file, (source) => source.bytes(0, source.size, 'its text').toString());
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error(`${file}: not a reference file: it is not JSON`);
  }
  const all = Object.entries((parsed ?? {}) as Record<string, Case>);
  const odd = all.find(
    ([, c]) => typeof c !== 'object' || c === null || !('config' in c) || !('eval_logits' in c || 'steps' in c),
  );
  if (all.length === 0 || odd) {
    const which = odd ? `case '${odd[0]}' has no config with eval_logits or steps` : 'no cases';
    throw new Error(`${file}: expected the form of tiny.json, models_full.json or trajectory.json; ${which}`);
  }
  const chosen = only === undefined ? all : all.filter(([name]) => name === only);
  if (chosen.length === 0)
    throw new Error(`${file}: case '${only}' is not one of ${all.map(([name]) => name).join(', ')}`);
  return chosen;
}

/** Whether a finding is within its tolerance; NaN is not. */
export const holds = ({ error, tolerance }: Finding): boolean => error <= tolerance;

/** Compares one case with this machine's kernels. */
export function checkCase(name: string, c: Case): Finding[] {
  return 'steps' in c ? checkTrajectory(c) : checkModel(name, c);
}

function line(f: Finding): string {
  const verdict = holds(f) ? pc.green('ok    ') : pc.red('FAILED');
  const error = Number.isNaN(f.error) ? 'not comparable' : f.error.toExponential(1);
  return `  ${verdict} ${f.what.padEnd(18)} ${error.padStart(8)}  allowed ${f.tolerance.toExponential(0)}${f.detail ? `  ${pc.dim(f.detail)}` : ''}`;
}

/** Compares the cases of a reference file with this machine's kernels. Returns whether all agree. */
function verifyReference(file: string, only?: string): boolean {
  const cases = readCases(file, only);
  console.log(`${file} on ${deviceText()}`);
  let failed = 0;
  for (const [name, c] of cases) {
    console.log(pc.bold(name));
    const findings = checkCase(name, c);
    for (const finding of findings) console.log(line(finding));
    failed += findings.filter((f) => !holds(f)).length;
  }
  console.log(failed === 0 ? `all ${cases.length} cases agree with float64` : `${failed} comparisons FAILED`);
  return failed === 0;
}

/** Compares the tensors of a checkpoint with their checksums. Returns whether it is whole. */
function verifyCheckpoint(file: string): boolean {
  try {
    const { tensors, checked, problems } = verifyChecksums(file);
    for (const problem of problems) console.log(`${printable(file)}: ${pc.red('DAMAGED')}: ${printable(problem)}`);
    if (problems.length > 0) console.log(`${printable(file)}: ${problems.length} of ${tensors} tensors are damaged`);
    else if (checked) console.log(`${printable(file)}: ${pc.green('ok')}, ${tensors} tensors have their checksums`);
    else console.log(`${printable(file)}: ${tensors} tensors can be read; it has no checksums to compare them with`);
    return problems.length === 0;
  } catch (error) {
    console.log(`${pc.red('DAMAGED')}: ${printable((error as Error).message)}`);
    return false;
  }
}

/** Runs `morphmlp verify`. */
export function verify(files: readonly string[], { device, case: only }: VerifyArguments): void {
  setDefaultDevice(device);
  const whole = files.map((file) => {
    const isCheckpoint = file.toLowerCase().endsWith('.safetensors');
    return isCheckpoint ? verifyCheckpoint(file) : verifyReference(file, only);
  });
  if (whole.includes(false)) process.exitCode = 1;
}
