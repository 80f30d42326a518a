/** Runs before each test file: MORPHMLP_TEST_DEVICE=cuda selects the GPU, or the emulation with the emulated addon. */
import { setDefaultDevice } from '../../src/core/tensor';
import type { Device } from '../../src/core/native';

if (process.env.MORPHMLP_TEST_DEVICE) setDefaultDevice(process.env.MORPHMLP_TEST_DEVICE as Device);
