import { InvalidArgumentError, Option } from 'commander';
import { parseBytes, parseCacheBytes } from '../train/config/bytes';

/** Parser of a number within bounds; commander adds the option's name to the error. */
export function numberIn(min: number, max = Infinity): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= min && value <= max) return value;
    throw new InvalidArgumentError(
      max === Infinity ? `Expected a number of at least ${min}.` : `Expected a number from ${min} to ${max}.`,
    );
  };
}

/** Parser of a whole number of at least `min`. */
export function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= min) return value;
    throw new InvalidArgumentError(`Expected a whole number of at least ${min}.`);
  };
}

/** Device of a command; throws if it is unavailable. */
export const deviceOption = (): Option =>
  new Option('--device <name>', 'where to compute').choices(['cpu', 'cuda']).default('cpu');

/** Element type of activations. */
export const precisionOption = (): Option =>
  new Option('--precision <name>', 'of activations; bf16 is fast on a GPU and on a CPU that multiplies it (see doctor)')
    .choices(['f32', 'bf16'])
    .default('f32');

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** Parser of a time such as 90s, 30m, 2h or 1h30m. Returns seconds. */
export function timeSpan(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)([smh])/g)];
  const seconds = parts.reduce((sum, [, value, unit]) => sum + Number(value) * UNITS[unit!]!, 0);
  if (parts.length > 0 && parts.map(([part]) => part).join('') === text && seconds > 0) return seconds;
  throw new InvalidArgumentError('Expected a time such as 90s, 30m or 1h30m.');
}

/** Parser of a switch. */
export function onOff(text: string): boolean {
  if (text === 'on' || text === 'off') return text === 'on';
  throw new InvalidArgumentError('Expected on or off.');
}

/** Parser of a memory size: bytes, or a number with K, M or G (powers of 1024). Returns the text. */
export function byteSize(text: string): string {
  if (parseBytes(text) !== null) return text;
  throw new InvalidArgumentError('Expected an amount of memory such as 1500M or 2G.');
}

/** Parser of a cache size; 0 disables the cache. */
export function cacheSize(text: string): string {
  if (parseCacheBytes(text) !== null) return text;
  throw new InvalidArgumentError('Expected an amount of memory such as 1500M or 2G, or 0 for no cache.');
}

/** Collects the values of an option that may be repeated. */
export const collect = (value: string, before: string[] = []): string[] => [...before, value];
