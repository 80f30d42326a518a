import { temporalFcCases } from '../../src/bench/op_cases/temporal_fc';
import { runCases } from '../support/run_cases';

runCases('temporalFc', temporalFcCases);
