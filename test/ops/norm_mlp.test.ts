import { normMlpCases } from '../../src/cases/norm_mlp';
import { runCases } from '../support/run_cases';

runCases('normMlp', normMlpCases);
