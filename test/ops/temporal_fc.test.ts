import { temporalFcCases } from '../cases/temporal_fc';
import { runCases } from '../support/run_cases';

runCases('temporalFc', temporalFcCases);
