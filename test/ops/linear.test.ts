import { linearCases } from '../../src/bench/op_cases/linear';
import { runCases } from '../support/run_cases';

runCases('linear', linearCases);
