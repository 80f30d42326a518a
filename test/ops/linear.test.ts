import { linearCases } from '../../src/cases/linear';
import { runCases } from '../support/run_cases';

runCases('linear', linearCases);
