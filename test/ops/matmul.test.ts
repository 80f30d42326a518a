import { matmulCases } from '../../src/cases/matmul';
import { runCases } from '../support/run_cases';

runCases('matmul', matmulCases);
