import path from 'node:path';

/** Live tensors made by one source line. */
export interface LiveTensors {
  /** The op or function that allocated them, such as `linear` or `zeros`. */
  op: string;
  /** `file:line` of its caller; if that is a layer of this library, also the caller's line outside of it. */
  line: string;
  count: number;
  /** Bytes of their elements. */
  bytes: number;
}

interface Frame {
  name: string;
  file: string;
  line: string;
}

/** The storage of a tensor and its views. */
interface Owner {
  readonly freed: boolean;
}

interface Made {
  owner: WeakRef<Owner>; // weak: collected storage is not live
  op: string;
  line: string;
  bytes: number;
}

const FRAME = /^\s*at (?:(?:async )?(.+?) \()?(?:file:\/\/)?(\S.*?):(\d+):\d+\)?$/;
const DEPTH = 60;

let made: Made[] | null = null;
let pruneAt = 0;

function callers(): Frame[] {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = DEPTH;
  const lines = (new Error().stack ?? '').split('\n');
  Error.stackTraceLimit = limit;
  const frames = lines.map((text) => FRAME.exec(text)).filter((match) => match !== null);
  const all = frames.map(([, name, file, line]) => ({ name: name ?? '', file: file as string, line: line as string }));
  return all.filter(({ file }) => !file.startsWith('node:'));
}

const ROOT = path.join(__dirname, '..');
const isOurs = ({ file }: Frame) => file.startsWith(ROOT + path.sep);
/** True for frames in core and ops. */
const isEngine = (frame: Frame) => isOurs(frame) && /^(core|ops)[\\/]/.test(path.relative(ROOT, frame.file));
const place = ({ file, line }: Frame) => `${path.relative(process.cwd(), file)}:${line}`;

function whereMade(): { op: string; line: string } {
  const frames = callers();
  const found = frames.findIndex((frame) => !isEngine(frame));
  const at = found < 0 ? frames.length - 1 : found;
  const [caller, engine] = [frames[at], frames[Math.max(0, at - 1)]];
  const outside = caller && isOurs(caller) ? frames.slice(at).find((frame) => !isOurs(frame)) : undefined;
  const lines = [caller, outside].filter((frame) => frame !== undefined).map(place);
  return { op: engine?.name.replace(/^.*[. ]/, '') || 'unknown', line: lines.join(', called from ') || 'unknown' };
}

function prune(list: Made[]): Made[] {
  return list.filter(({ owner }) => owner.deref()?.freed === false);
}

/** Records the source line of an allocation while tracking is on. Only `empty` calls it. */
export function noteMade(owner: Owner, bytes: number): void {
  if (!made) return;
  if (made.length >= pruneAt) {
    made = prune(made);
    pruneAt = 2 * made.length + 1024;
  }
  made.push({ owner: new WeakRef(owner), bytes, ...whereMade() });
}

/**
 * Starts or stops recording the source line that makes each tensor; either discards earlier records. Off by default, at no
 * cost; when on, each new tensor takes a stack trace. The environment variable MORPHMLP_DEBUG_MEMORY=1 turns it on at startup and
 * prints the report to stderr at exit.
 */
export function trackLiveTensors(on: boolean): void {
  made = on ? [] : null;
  pruneAt = 0;
}

/**
 * Tensors made since tracking began and not freed, grouped by op and source line, largest total first. Views count as the
 * tensor whose memory they share.
 * @throws when tracking is off
 */
export function liveTensors(): LiveTensors[] {
  if (!made)
    throw new Error('liveTensors: tracking is off; call trackLiveTensors(true) or set MORPHMLP_DEBUG_MEMORY=1');
  const groups = new Map<string, LiveTensors>();
  for (const { op, line, bytes } of prune(made)) {
    const group = groups.get(`${op} ${line}`) ?? { op, line, count: 0, bytes: 0 };
    groups.set(`${op} ${line}`, { op, line, count: group.count + 1, bytes: group.bytes + bytes });
  }
  return [...groups.values()].sort((a, b) => b.bytes - a.bytes || b.count - a.count);
}

/** `liveTensors` as text: a line with the total, then one line per group. */
export function liveTensorReport(): string {
  const groups = liveTensors();
  const total = (key: 'count' | 'bytes') => groups.reduce((sum, group) => sum + group[key], 0);
  const rows = groups.map((g) => `${String(g.bytes).padStart(14)} bytes in ${g.count}: ${g.op} at ${g.line}`);
  return [`live tensors: ${total('bytes')} bytes in ${total('count')}`, ...rows].join('\n');
}

if (process.env['MORPHMLP_DEBUG_MEMORY'] === '1') {
  trackLiveTensors(true);
  process.once('exit', () => made && process.stderr.write(`${liveTensorReport()}\n`));
}
