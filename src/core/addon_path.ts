import * as finder from '../../native/find_addon.cjs';

/** A candidate path of the addon, and the reason it was not loaded. */
export interface TriedAddon {
  file: string;
  reason: string;
}

/** The loaded addon, its file, and the candidate paths that failed before it. */
export interface LoadedAddon<T> {
  addon: T;
  file: string;
  tried: TriedAddon[];
}

/**
 * Loads the addon from the path in MORPHMLP_ADDON, or else from build/, native/build/ (the newer first) or prebuilds/.
 * @throws an Error that lists each path with the reason it failed, and the command that builds the addon
 */
export function loadAddon<T>(): LoadedAddon<T> {
  return finder.loadAddon() as LoadedAddon<T>;
}

/** Candidate paths of the addon, in search order. */
export function addonCandidates(): string[] {
  return finder.candidates();
}
