import { arithmeticCases } from '../../src/cases/arithmetic';
import { runCases } from '../support/run_cases';

runCases('arithmetic', arithmeticCases);
