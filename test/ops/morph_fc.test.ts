import { morphFcCases } from '../../src/cases/morph_fc';
import { runCases } from '../support/run_cases';

runCases('morphFc', morphFcCases);
