import * as finder from '../../native/find_addon.cjs';

/** A place where the addon was looked for, and why it was not taken. */
export interface TriedAddon {
  file: string;
  reason: string;
}

/** The loaded addon, its file, and the places tried before it. */
export interface LoadedAddon<T> {
  addon: T;
  file: string;
  tried: TriedAddon[];
}

/**
 * Loads the addon from where MORPHMLP_ADDON says, or else from build/, native/build/ (the newer first) or prebuilds/.
 * Throws an Error that lists each place with the reason it failed, and the command that builds the addon.
 */
export function loadAddon<T>(): LoadedAddon<T> {
  return finder.loadAddon() as LoadedAddon<T>;
}

/** The places where the addon is looked for, in order. */
export function addonCandidates(): string[] {
  return finder.candidates();
}
