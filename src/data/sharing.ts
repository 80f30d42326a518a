/** Processes that share out work on the files of a list: `Ranks` of src/distributed, or this one alone. */
export interface Sharing {
  readonly rank: number;
  readonly size: number;
  /** The values of all processes, in their order. They must survive JSON. */
  gatherJson<T>(value: T): T[];
  /** The bytes of all processes, in their order. */
  gatherBytes(bytes: Uint8Array): Uint8Array[];
}

/** A process on its own. */
export const UNSHARED: Sharing = {
  rank: 0,
  size: 1,
  gatherJson: (value) => [value],
  gatherBytes: (bytes) => [bytes],
};

/** The items of a round that this process works on: every `size`-th. */
export const ownShare = <T>(round: readonly T[], { rank, size }: Sharing): T[] =>
  round.filter((_, i) => i % size === rank);

/** Puts the results of all processes for a round in the order of its items. */
export const inOrder = <T>(results: readonly (readonly T[])[], length: number): T[] =>
  Array.from({ length }, (_, i) => results[i % results.length]![Math.floor(i / results.length)]!);
