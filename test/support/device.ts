/** Before each test file: MORPHMLP_TEST_DEVICE=cuda runs it on the GPU, or with the emulated addon on its emulation. */
import { setDefaultDevice } from '../../src/core/tensor';
import type { Device } from '../../src/core/native';

if (process.env.MORPHMLP_TEST_DEVICE) setDefaultDevice(process.env.MORPHMLP_TEST_DEVICE as Device);
