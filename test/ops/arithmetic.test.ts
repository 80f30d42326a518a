import { arithmeticCases } from '../cases/arithmetic';
import { runCases } from '../support/run_cases';

runCases('arithmetic', arithmeticCases);
