import { studyCost } from '../../src/study/cost';
import { randomSubject } from '../../src/study/subject';
import { traceOf, type TraceEvent } from '../../src/study/trace';

const subject = randomSubject('quickstart', 32);
const cost = studyCost(subject, { work: 'train', batch: 1, steps: 1 });
subject.network.dispose();
const trace = JSON.parse(JSON.stringify(traceOf(cost, { model: 'quickstart' }))) as { traceEvents: TraceEvent[] };
const complete = trace.traceEvents.filter((e) => e.ph === 'X');
const of = (category: string) => complete.filter((e) => e.cat === category);
const end = (e: TraceEvent) => e.ts + e.dur!;
const counters = trace.traceEvents.filter((e) => e.ph === 'C');

test('every event has the fields required by the format', () => {
  expect(Array.isArray(trace.traceEvents)).toBe(true);
  for (const event of trace.traceEvents) {
    expect(typeof event.name).toBe('string');
    expect([event.pid, event.tid].every(Number.isInteger)).toBe(true);
    expect(['X', 'C', 'M']).toContain(event.ph);
    expect(Number.isFinite(event.ts) && event.ts >= 0).toBe(true);
    if (event.ph === 'X') expect(Number.isFinite(event.dur) && event.dur! >= 0).toBe(true);
    if (event.ph === 'C') expect(Object.values(event.args!).every((v) => typeof v === 'number')).toBe(true);
    if (event.ph === 'M') expect(['process_name', 'thread_name']).toContain(event.name);
  }
});

test('names come first, then events by time, enclosing events first', () => {
  const { traceEvents } = trace;
  expect(traceEvents.slice(0, 2).map((e) => [e.ph, e.name])).toEqual([
    ['M', 'process_name'],
    ['M', 'thread_name'],
  ]);
  const timed = traceEvents.slice(2);
  timed.slice(1).forEach((event, i) => expect(event.ts).toBeGreaterThanOrEqual(timed[i]!.ts));
  const open: TraceEvent[] = [];
  for (const event of complete) {
    while (open.length > 0 && end(open.at(-1)!) <= event.ts) open.pop();
    if (open.length > 0) expect(end(event)).toBeLessThanOrEqual(end(open.at(-1)!));
    open.push(event);
  }
});

test('times are in microseconds and exact in nanoseconds', () => {
  for (const event of trace.traceEvents)
    for (const time of [event.ts, event.dur ?? 0]) expect(Number.isInteger(8 * time)).toBe(true);
  cost.ops.forEach((op, i) => expect(Math.abs(of('op')[i]!.ts - 1000 * op.at)).toBeLessThanOrEqual(1 / 16));
});

test('events are named after kernels, blocks and stages', () => {
  expect(of('op').map((e) => e.name)).toEqual(cost.ops.map((op) => op.kernel));
  expect(new Set(of('block').map((e) => e.name))).toEqual(new Set(cost.ops.flatMap((op) => op.block ?? [])));
  const stages = new Set(of('stage').map((e) => e.name.replace(/, backward$/, '')));
  expect(stages).toEqual(new Set(cost.ops.map((op) => op.stage)));
  expect(of('step').map((e) => e.name)).toEqual(['train step']);
  expect(new Set(counters.map((e) => e.name))).toEqual(new Set(['live tensors']));
});

test('events of one thread are disjoint or nested', () => {
  for (const a of complete)
    for (const b of complete) {
      const apart = end(a) <= b.ts || end(b) <= a.ts;
      const inside = (x: TraceEvent, y: TraceEvent) => x.ts >= y.ts && end(x) <= end(y);
      if (!apart && !inside(a, b) && !inside(b, a)) throw new Error(`${a.name} and ${b.name} overlap`);
    }
});

test('ops are nested in blocks, blocks in stages, stages in phases, phases in the step', () => {
  const holders = { op: 'stage', block: 'stage', stage: 'phase', phase: 'step' };
  for (const [inner, outer] of Object.entries(holders))
    for (const event of of(inner)) {
      const around = of(outer).filter((e) => e.ts <= event.ts && end(e) >= end(event));
      expect({ event: event.name, around: around.length }).toEqual({ event: event.name, around: 1 });
    }
});

test('durations add up to the step except for time outside of kernels', () => {
  const sum = of('op').reduce((total, e) => total + e.dur!, 0);
  const took = 1000 * cost.ops.reduce((total, op) => total + op.took, 0);
  expect(Math.abs(sum - took)).toBeLessThanOrEqual(cost.ops.length / 8); // each end is rounded by at most 1/16 µs
  expect(of('step')).toHaveLength(1);
  expect(of('step')[0]!.dur).toBeGreaterThanOrEqual(sum);
  expect(of('phase').map((e) => e.name)).toEqual(['forward', 'backward', 'update']);
});

test('the counter shows live bytes', () => {
  expect(counters.map((e) => e.args!['bytes'])).toEqual(cost.ops.map((op) => op.live));
  expect([...counters].sort((a, b) => a.ts - b.ts)).toEqual(counters);
});
