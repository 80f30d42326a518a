import type { ClipBatches, ClipBatchesOptions } from './clip_types';

/**
 * Opens labelled videos or pictures, read and augmented by processes beside this one: a folder with a folder for each class, a csv of path
 * and label, IDX files (MNIST), or `motion:64` for drawn clips.
 * @param source path of the folder or the list
 * @throws with file and line if the list is invalid, and for options that do not exist
 */
export async function openClips(source: string, options: ClipBatchesOptions): Promise<ClipBatches> {
  // Loaded at the first call: programs that only use tensors need neither the picture library nor a decoder.
  const { clipBatches } = await import('./clip_batches.js');
  return clipBatches(source, options);
}
