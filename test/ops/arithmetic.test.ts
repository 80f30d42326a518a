import { arithmeticCases } from '../../src/bench/op_cases/arithmetic';
import { runCases } from '../support/run_cases';

runCases('arithmetic', arithmeticCases);
