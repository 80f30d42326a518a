import { matmulCases } from '../../src/bench/op_cases/matmul';
import { runCases } from '../support/run_cases';

runCases('matmul', matmulCases);
