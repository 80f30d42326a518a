import { geluCases } from '../../src/cases/gelu';
import { runCases } from '../support/run_cases';

runCases('gelu', geluCases);
