import { geluCases } from '../../src/bench/op_cases/gelu';
import { runCases } from '../support/run_cases';

runCases('gelu', geluCases);
