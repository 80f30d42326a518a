/** What the program's end must know of the ranks. Loads no addon: the command line imports it before it knows that there is one. */

/** An error that every rank throws at the same place: one of them reports it, and none has to end the others. */
export class SharedError extends Error {}

/** This process's connection to the other ranks. */
export interface Session {
  readonly isMain: boolean;
  /** `rank 3 on host b`. */
  readonly label: string;
  /** Disconnects, when all ranks have come this far. */
  close(): void;
  /** Ends all ranks with this exit status. */
  abort(status: number): void;
}

let session: Session | null = null;

/** The session of this process; null unless it is connected to others. */
export const currentSession = (): Session | null => session;

/** Called by `connect`. */
export function openSession(opened: Session): void {
  session = opened;
}

/** Whether an error, or its cause, is one that all ranks throw. */
export function isShared(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) if (e instanceof SharedError) return true;
  return false;
}
