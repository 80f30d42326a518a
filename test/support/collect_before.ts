/** For every test file: garbage of an earlier file of the same process is freed before its tests count what is live. */
import { collectGarbage } from './collect';

beforeAll(collectGarbage);
