import { morphFcCases } from '../cases/morph_fc';
import { runCases } from '../support/run_cases';

runCases('morphFc', morphFcCases);
