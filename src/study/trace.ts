/**
 * Writes a step as a trace for Perfetto, chrome://tracing and the Performance panel of Chromium's DevTools: the JSON object form of the
 * Trace Event Format, with complete events ("ph": "X") for phases, stages, blocks and ops, which nest by time, counter events ("C") for
 * live bytes, and metadata ("M") for names. Events are sorted by time, enclosing events first.
 */
import type { Cost, CostOp } from './cost';

/** One event; times are in µs. */
export interface TraceEvent {
  name: string;
  ph: 'X' | 'C' | 'M';
  pid: number;
  tid: number;
  ts: number;
  dur?: number;
  cat?: string;
  args?: Record<string, unknown>;
}

/** A whole trace file. */
export interface Trace {
  traceEvents: TraceEvent[];
  displayTimeUnit: 'ms';
  otherData: Record<string, unknown>;
}

const HERE = { pid: 1, tid: 1 } as const;

/** Converts ms to multiples of 1/8 µs, which are exact in binary and in ns, so that a viewer's rounding cannot make neighbours overlap. */
const us = (ms: number): number => Math.round(ms * 8000) / 8;

/** Start and duration of a complete event that ends exactly where an event at `to` begins. */
const lasting = (from: number, to: number) => ({ ts: us(from), dur: us(to) - us(from) });

/** Merges adjacent ops of the same name into one event. */
function spans(ops: readonly CostOp[], category: string, nameOf: (op: CostOp) => string | null): TraceEvent[] {
  const events: TraceEvent[] = [];
  let open: { name: string; from: number; to: number } | null = null;
  const close = () => {
    if (open)
      events.push({
        name: open.name,
        ph: 'X',
        ...HERE,
        ...lasting(open.from, open.to),
        cat: category,
      });
  };
  for (const op of ops) {
    const name = nameOf(op);
    if (open && open.name === name) open.to = op.at + op.took;
    else {
      close();
      open = name === null ? null : { name, from: op.at, to: op.at + op.took };
    }
  }
  close();
  return events;
}

function opEvent(op: CostOp): TraceEvent {
  const { macs, read, written, intensity, gflops, floorMs, limit } = op;
  const share = floorMs / op.took;
  const args = { layer: op.layer, shape: op.shape, macs, read, written, intensity, gflops, limit, shareOfLimit: share };
  return { name: op.kernel, ph: 'X', ...HERE, ...lasting(op.at, op.at + op.took), cat: 'op', args };
}

const counter = (at: number, bytes: number): TraceEvent => ({
  name: 'live tensors',
  ph: 'C',
  ...HERE,
  ts: us(at),
  args: { bytes },
});

const named = (name: string, value: string): TraceEvent => ({ name, ph: 'M', ...HERE, ts: 0, args: { name: value } });

/** Converts the typical step of a cost to a trace. Phases contain stages, stages blocks, blocks ops. */
export function traceOf(cost: Cost, about: Record<string, unknown>): Trace {
  const { ops, work, typical } = cost;
  const whole: TraceEvent = { name: `${work} step`, ph: 'X', ...HERE, ...lasting(0, typical), cat: 'step' };
  const timed = [
    whole,
    ...spans(ops, 'phase', (op) => op.phase),
    ...spans(ops, 'stage', (op) => `${op.stage}${op.phase === 'backward' ? ', backward' : ''}`),
    ...spans(ops, 'block', (op) => op.block),
    ...ops.map(opEvent),
    ...ops.map((op) => counter(op.at, op.live)),
  ].sort((a, b) => a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0));
  const traceEvents = [named('process_name', 'morphmlp'), named('thread_name', 'kernels'), ...timed];
  return { traceEvents, displayTimeUnit: 'ms', otherData: about };
}
