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
const TINY = 1e-6; // microseconds lost to rounding

test('every event has what the format asks for', () => {
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

test('events of one thread nest: any two either lie apart or one in the other', () => {
  for (const a of complete)
    for (const b of complete) {
      const apart = end(a) <= b.ts + TINY || end(b) <= a.ts + TINY;
      const inside = (x: TraceEvent, y: TraceEvent) => x.ts >= y.ts - TINY && end(x) <= end(y) + TINY;
      if (!apart && !inside(a, b) && !inside(b, a)) throw new Error(`${a.name} and ${b.name} overlap`);
    }
});

test('an op lies in its block, a block in its stage, a stage in its phase, a phase in the step', () => {
  const holders = { op: 'stage', block: 'stage', stage: 'phase', phase: 'step' };
  for (const [inner, outer] of Object.entries(holders))
    for (const event of of(inner)) {
      const around = of(outer).filter((e) => e.ts <= event.ts + TINY && end(e) >= end(event) - TINY);
      expect({ event: event.name, around: around.length }).toEqual({ event: event.name, around: 1 });
    }
});

test('its durations add up to the step, up to what passed outside of kernels', () => {
  const sum = of('op').reduce((total, e) => total + e.dur!, 0);
  expect(sum).toBeCloseTo(1000 * cost.ops.reduce((total, op) => total + op.took, 0), 3);
  expect(of('step')).toHaveLength(1);
  expect(of('step')[0]!.dur).toBeGreaterThanOrEqual(sum);
  expect(of('phase').map((e) => e.name)).toEqual(['forward', 'backward', 'update']);
});

test('the counter follows live bytes', () => {
  const counters = trace.traceEvents.filter((e) => e.ph === 'C');
  expect(counters.map((e) => e.args!['bytes'])).toEqual(cost.ops.map((op) => op.live));
  expect([...counters].sort((a, b) => a.ts - b.ts)).toEqual(counters);
});
