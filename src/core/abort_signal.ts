/**
 * The standard's `AbortSignal`. Programs that compile without the types of Node or of a browser have no declaration of it: for them
 * what is used of it.
 */
export type Signal = typeof globalThis extends { AbortSignal: { prototype: infer Standard } }
  ? Standard
  : {
      readonly aborted: boolean;
      throwIfAborted(): void;
      addEventListener(type: 'abort', listener: () => void): void;
      removeEventListener(type: 'abort', listener: () => void): void;
    };
