import { reduceCases } from '../../src/cases/reduce';
import { runCases } from '../support/run_cases';

runCases('reduce', reduceCases);
