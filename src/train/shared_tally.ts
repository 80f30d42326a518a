import type { Clip } from '../data/types';
import type { Ranks } from '../distributed/ranks';
import { scoreOf, Tally, type Evaluation, type Mistake, type Score } from './tally';

/** A clip of a rank: its place in the order of the dataset, and among equals in the order it was added. */
interface Place {
  at: number;
  rank: number;
  /** Serial number on its rank. */
  serial: number;
}

/** Numbers of a score in a message. */
const WIDTH = 6;

const numbersOf = (at: number, { label, predicted, loss, rank, probability }: Score): number[] => [
  ...[at, label, predicted, loss, rank, probability],
];

/** A tally over clips that ranks share out: every rank has the same result, with the bits of a single process. */
export class SharedTally {
  /** Of this rank; alone it has everything. */
  private readonly own: Tally<{ clip: Clip; serial: number }>;
  private readonly numbers: number[] = [];
  private added = 0;

  constructor(
    private readonly classes: number,
    private readonly ranks: Ranks,
  ) {
    this.own = new Tally(classes);
  }

  /** Adds the logits [classes] of a clip. @param at its place: results are added up in the order of places */
  add(at: number, logits: Float32Array, clip: Clip): void {
    const score = scoreOf(logits, clip.label);
    this.own.count(score, { clip, serial: this.added++ });
    if (this.ranks.size > 1) this.numbers.push(...numbersOf(at, score));
  }

  /** The result over all ranks. */
  result(): Evaluation {
    const own = this.own.result();
    const mine = new Map(own.mistakes.map(({ clip: { clip, serial } }) => [serial, clip]));
    if (this.ranks.size === 1) return { ...own, mistakes: own.mistakes.map((m) => ({ ...m, clip: m.clip.clip })) };
    const all = this.gathered().result();
    return { ...all, mistakes: all.mistakes.map((mistake) => this.withClip(mistake, mine)) };
  }

  private gathered(): Tally<Place> {
    const scores = this.ranks
      .gatherBytes(new Uint8Array(Float64Array.from(this.numbers).buffer))
      .flatMap((bytes, rank) => {
        const numbers = new Float64Array(bytes.slice().buffer);
        return Array.from({ length: numbers.length / WIDTH }, (_, serial) => {
          const [at, label, predicted, loss, above, probability] = numbers.subarray(
            serial * WIDTH,
          ) as unknown as number[];
          const score = { label: label!, predicted: predicted!, loss: loss!, rank: above!, probability: probability! };
          return { place: { at: at!, rank, serial }, score };
        });
      });
    scores.sort((a, b) => a.place.at - b.place.at || a.place.serial - b.place.serial);
    const tally = new Tally<Place>(this.classes);
    for (const { place, score } of scores) tally.count(score, place);
    return tally;
  }

  /** Sends the clip of a mistake from the rank that has it to all. */
  private withClip({ clip: { rank, serial }, ...rest }: Mistake<Place>, mine: ReadonlyMap<number, Clip>): Mistake {
    const own = this.ranks.rank === rank ? mine.get(serial)! : null;
    const { frames, height, width, label, path } = own ?? { frames: 0, height: 0, width: 0, label: 0, path: '' };
    const facts = this.ranks.broadcastJson({ frames, height, width, label, path }, rank);
    const pixels = own?.pixels ?? new Uint8Array(facts.frames * facts.height * facts.width * 3);
    this.ranks.broadcast(pixels, rank);
    return { ...rest, clip: { ...facts, pixels } };
  }
}
