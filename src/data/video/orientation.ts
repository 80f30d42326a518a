/** Display rotation of videos. */
import { UnreadableClip } from '../types';

export interface Turn {
  /** Degrees clockwise. */
  rotation: number;
  /** FFmpeg filters that rotate a stored frame; '' for none. */
  filters: string;
}

/** Filters by the signs of the display matrix [a b; c d]: x' = a x + c y, y' = b x + d y, y pointing down. */
const TURNS: Readonly<Record<string, Turn>> = {
  '1,0,0,1': { rotation: 0, filters: '' },
  '0,1,-1,0': { rotation: 90, filters: 'transpose=clock' },
  '-1,0,0,-1': { rotation: 180, filters: 'hflip,vflip' },
  '0,-1,1,0': { rotation: 270, filters: 'transpose=cclock' },
  '-1,0,0,1': { rotation: 0, filters: 'hflip' },
  '1,0,0,-1': { rotation: 180, filters: 'vflip' },
  '0,1,1,0': { rotation: 90, filters: 'transpose=cclock_flip' },
  '0,-1,-1,0': { rotation: 270, filters: 'transpose=clock_flip' },
};

const BY_DEGREES = ['1,0,0,1', '0,1,-1,0', '-1,0,0,-1', '0,-1,1,0'];

/** Rotation of a display matrix of nine 16.16 numbers. @throws UnreadableClip unless it is a multiple of 90 degrees */
function matrixTurn(path: string, [a, b, , c, d]: readonly number[]): Turn {
  const largest = Math.max(...[a, b, c, d].map((x) => Math.abs(x!)));
  const signs = [a, b, c, d].map((x) => Math.round((x! / largest) * 50) / 50 || 0);
  const turn = TURNS[signs.join(',')];
  if (largest > 0 && turn !== undefined) return turn;
  const degrees = (Math.atan2(b!, a!) * 180) / Math.PI;
  throw new UnreadableClip(
    `${path}: its display matrix [${[a, b, c, d].map((x) => x! / 65536).join(', ')}] turns pictures by ${degrees.toFixed(1)} degrees; expected a multiple of 90`,
  );
}

/** Rotation of the tag "rotate": degrees clockwise. */
function tagTurn(path: string, tag: string): Turn {
  const quarters = Number(tag) / 90;
  if (tag.trim() === '' || !Number.isInteger(quarters))
    throw new UnreadableClip(`${path}: its tag rotate is "${tag}"; expected a multiple of 90 degrees`);
  return TURNS[BY_DEGREES[((quarters % 4) + 4) % 4]!]!;
}

/** Rotation of a stream: by its display matrix, else by its tag. */
export function turnOf(path: string, matrix: readonly number[] | null, tag: string | null): Turn {
  if (matrix !== null) return matrixTurn(path, matrix);
  return tag === null ? TURNS['1,0,0,1']! : tagTurn(path, tag);
}
