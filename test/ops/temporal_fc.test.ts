import { temporalFcCases } from '../../src/cases/temporal_fc';
import { runCases } from '../support/run_cases';

runCases('temporalFc', temporalFcCases);
