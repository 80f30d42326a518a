import { reduceCases } from '../../src/bench/op_cases/reduce';
import { runCases } from '../support/run_cases';

runCases('reduce', reduceCases);
