/**
 * A bounded cache of decoded frames, shared by all reading threads.
 *
 * Its memory is one table of pages, allocated and freed explicitly within the limit: V8's collector does not account for shared
 * buffers, so buffers that are merely dropped would stay allocated for an unknown time.
 */
import type { Frames } from './decode';

/** Size of a page in bytes, and pages per shared buffer. */
const PAGE = 64 * 1024;
const SLAB = 256;

/** Decoded frames and their numbers in the source. */
export interface NumberedFrames extends Frames {
  numbers: readonly number[];
}

/** Cached frames of a source at one size, as passed to a reading thread. */
export interface KeptFrames {
  width: number;
  height: number;
  /** Frame number at each position. */
  numbers: readonly number[];
  /** Pages that contain the frames contiguously. */
  pages: readonly number[];
}

/** Calls `body` with each contiguous piece of the bytes `start` to `start + length` in `pages`. */
function forPieces(
  slabs: readonly SharedArrayBuffer[],
  pages: readonly number[],
  start: number,
  length: number,
  body: (piece: Uint8Array, done: number) => void,
): void {
  for (let done = 0; done < length;) {
    const [page, offset] = [Math.floor((start + done) / PAGE), (start + done) % PAGE];
    const count = Math.min(PAGE - offset, length - done);
    const number = pages[page]!;
    body(new Uint8Array(slabs[Math.floor(number / SLAB)]!, (number % SLAB) * PAGE + offset, count), done);
    done += count;
  }
}

/** Copies the frame at position `place` to `target` from byte `to` on. */
export function copyKept(
  slabs: readonly SharedArrayBuffer[],
  { width, height, pages }: KeptFrames,
  place: number,
  target: Uint8Array,
  to: number,
): void {
  const bytes = width * height * 3;
  forPieces(slabs, pages, place * bytes, bytes, (piece, done) => target.set(piece, to + done));
}

interface Entry extends KeptFrames {
  source: string;
  numbers: number[];
  pages: number[];
  known: Set<number>;
}

/** Caches decoded frames up to a limit in bytes; evicts the least recently used. */
export class FrameCache {
  /** The memory, shared with reading threads. */
  readonly slabs: SharedArrayBuffer[] = [];
  private readonly free: number[] = [];
  /** Entries by source and size, most recently used last. */
  private readonly entries = new Map<string, Entry>();
  private readonly sizes = new Map<string, Set<string>>();
  private readonly users = new Map<string, number>();
  private readonly capacity: number;

  /** @param limit bytes, rounded down to pages of 64 KiB @param onSlab is called with each new buffer of `slabs` */
  constructor(
    readonly limit: number,
    private readonly onSlab: (slab: SharedArrayBuffer) => void = () => undefined,
  ) {
    this.capacity = Math.floor(limit / PAGE);
  }

  /** Allocated bytes; at most the limit, and not freed before the cache is dropped. */
  get held(): number {
    return this.slabs.reduce((sum, slab) => sum + slab.byteLength, 0);
  }

  /** Bytes of used pages. */
  get used(): number {
    return this.held - this.free.length * PAGE;
  }

  /** Cached frames of a source in every size. They are not evicted until `release` has been called as often. */
  borrow(source: string): KeptFrames[] {
    this.users.set(source, (this.users.get(source) ?? 0) + 1);
    return [...(this.sizes.get(source) ?? [])].map((key) => {
      const entry = this.entries.get(key)!;
      this.entries.delete(key);
      this.entries.set(key, entry);
      const { width, height, numbers, pages } = entry;
      return { width, height, numbers, pages };
    });
  }

  /** Releases frames of `borrow`. */
  release(source: string): void {
    const users = this.users.get(source)! - 1;
    if (users > 0) this.users.set(source, users);
    else this.users.delete(source);
  }

  /** Caches frames of a source that are missing, as far as room can be made. */
  add(source: string, frames: NumberedFrames): void {
    const { width, height } = frames;
    const key = `${width}x${height} ${source}`;
    const entry: Entry = this.entries.get(key) ?? { source, width, height, numbers: [], pages: [], known: new Set() };
    const bytes = width * height * 3;
    const fresh = [...frames.numbers.entries()].filter(([, number]) => !entry.known.has(number));
    const pages = Math.ceil(((entry.numbers.length + fresh.length) * bytes) / PAGE) - entry.pages.length;
    if (fresh.length === 0 || !this.makeRoom(pages, source)) return;
    entry.pages.push(...this.free.splice(this.free.length - pages, pages));
    for (const [place, number] of fresh) {
      const frame = frames.pixels.subarray(place * bytes, (place + 1) * bytes);
      forPieces(this.slabs, entry.pages, entry.numbers.length * bytes, bytes, (piece, done) =>
        piece.set(frame.subarray(done, done + piece.length)),
      );
      entry.numbers.push(number);
      entry.known.add(number);
    }
    this.entries.set(key, entry);
    this.sizes.set(source, (this.sizes.get(source) ?? new Set()).add(key));
  }

  /** Frees `pages` pages: allocates memory first, then evicts the least recently used entries, except those of `source`. */
  private makeRoom(pages: number, source: string): boolean {
    while (this.free.length < pages && this.grow());
    if (this.free.length >= pages) return true;
    const gone: Entry[] = [];
    let room = this.free.length;
    for (const entry of this.entries.values()) {
      if (room >= pages) break;
      if (entry.source === source || this.users.has(entry.source)) continue;
      gone.push(entry);
      room += entry.pages.length;
    }
    if (room < pages) return false;
    for (const entry of gone) this.drop(entry);
    return true;
  }

  private drop({ source, width, height, pages }: Entry): void {
    const key = `${width}x${height} ${source}`;
    this.entries.delete(key);
    this.sizes.get(source)!.delete(key);
    if (this.sizes.get(source)!.size === 0) this.sizes.delete(source);
    this.free.push(...pages);
  }

  /** Allocates another buffer if the limit and the machine allow it. */
  private grow(): boolean {
    const first = this.slabs.length * SLAB;
    const pages = Math.min(SLAB, this.capacity - first);
    if (pages <= 0) return false;
    try {
      const slab = new SharedArrayBuffer(pages * PAGE);
      this.slabs.push(slab);
      this.onSlab(slab);
    } catch {
      return false; // out of memory: the existing buffers are used
    }
    for (let i = 0; i < pages; i++) this.free.push(first + i);
    return true;
  }
}
