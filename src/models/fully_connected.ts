import { Linear } from '../nn/layers';

/** An FC of MorphMLP: weights start truncated normal (0.02), biases at 0. */
export const fullyConnected = (inFeatures: number, outFeatures: number, options: { bias?: boolean } = {}): Linear =>
  new Linear(inFeatures, outFeatures, { ...options, truncatedStd: 0.02 });
