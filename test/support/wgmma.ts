import { whyNoWgmma } from '../../src/bench/kernels/variant';
import { native } from '../../src/core/native';

/** An environment without wgmma; the emulation alone heeds it. */
export const LACKING_WGMMA = { MORPHMLP_EMULATED_LACKS_WGMMA: '1' };

/** Whether a process in that environment has no wgmma. A real Hopper cannot be told to lack it. */
export const canLackWgmma = (): boolean =>
  whyNoWgmma() !== undefined || native.cudaDevice().startsWith('emulated on the CPU');
