import { normMlpCases } from '../../src/bench/op_cases/norm_mlp';
import { runCases } from '../support/run_cases';

runCases('normMlp', normMlpCases);
