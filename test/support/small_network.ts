import { VARIANTS } from '../../src/models/config';

/** A network that is built and run quickly. */
export const SMALL_NETWORK = {
  ...VARIANTS['image-t']!.config,
  ...({ layers: [1, 1, 1, 1], embedDims: [16, 32, 32, 64], segmentDim: [8, 8, 16, 4], numClasses: 5 } as const),
};
