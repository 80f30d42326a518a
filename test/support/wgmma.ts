import { wgmmaUnavailable } from '../../src/bench/kernels/variant';
import { native } from '../../src/core/native';

/** An environment without wgmma; only the emulation honours it. */
export const LACKING_WGMMA = { MORPHMLP_EMULATED_LACKS_WGMMA: '1' };

/** Whether a process in that environment lacks wgmma. A real Hopper GPU always has it. */
export const canLackWgmma = (): boolean =>
  wgmmaUnavailable() !== undefined || native.cudaDevice().startsWith('emulated on the CPU');
