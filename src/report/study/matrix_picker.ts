import type { LearnedPictures, LearnedStudy, MatrixPicture } from '../../study/learned_types';
import { html, type Html } from '../html';
import { significant } from '../../terminal/format';
import { term } from './glossary';

/** What a checkpoint has learned, by a name that tells it from the other one. */
export interface NamedLearned {
  name: string;
  learned: LearnedStudy;
}

/** One matrix of one checkpoint, for the page's script. */
interface MatrixView {
  checkpoint: string;
  rms: number;
  shares: LearnedStudy['matrices'][number]['shares'];
  /** Block norms; null for an FC over channels alone. */
  grid: Omit<MatrixPicture, 'name'> | null;
  /** All weights; null if they were left out. */
  weights: Omit<MatrixPicture, 'name'> | null;
}

/** A mixing FC with its matrix in each checkpoint. */
interface PickedMatrix {
  name: string;
  stage: number;
  block: string;
  part: string;
  positions: number;
  channels: number;
  size: number;
  views: MatrixView[];
}

function pictureOf(pictures: readonly MatrixPicture[] | undefined, wanted: string): MatrixView['grid'] {
  const found = pictures?.find(({ name }) => name === wanted);
  return found ? { image: found.image, limit: found.limit } : null;
}

function viewOf({ name: checkpoint, learned }: NamedLearned, name: string): MatrixView {
  const { rms, shares } = learned.matrices.find((one) => one.name === name)!;
  const { pictures } = learned;
  const [grid, weights] = [pictureOf(pictures?.norms, name), pictureOf(pictures?.matrices, name)];
  return { checkpoint, rms, shares, grid, weights };
}

/** Data of the picker. All checkpoints have the same network. */
export function pickedMatrices(all: readonly NamedLearned[]): PickedMatrix[] {
  return all[0]!.learned.matrices.map(({ name, stage, block, part, positions, channels, size }) => ({
    ...{ name, stage, block, part, positions, channels, size },
    views: all.map((one) => viewOf(one, name)),
  }));
}

function leftOut(pictures: LearnedPictures | undefined): Html | false {
  const left = pictures?.leftOut.length ?? 0;
  return (
    left > 0 &&
    html`<p class="hint">
      Pictures of single weights take at most ${significant(pictures!.budget / 1e6, 2)} MB of the page; those of ${left}
      matrices were left out. --block draws a block’s first.
    </p>`
  );
}

/** The picker: stage, block and branch, with small multiples of the stage. */
export function matrixPicker({ pictures }: LearnedStudy): Html {
  const pick = (name: string) =>
    html`<label
      >${name}
      <select data-matrices="${name}"></select
    ></label>`;
  return html`<div class="panel" id="matrices-view">
    <h3>Weights between positions</h3>
    <p class="lead">
      The stronger a cell, the more the position of its row takes from that of its column: of a ${term('chunk')}, or in
      time. A strong diagonal means that tokens keep to themselves.
    </p>
    <div class="controls">${pick('stage')} ${pick('block')} ${pick('branch')}</div>
    <div
      class="multiples"
      data-matrices="multiples"
      tabindex="0"
      role="application"
      aria-label="Matrices of the stage: a row for each block, a column for each branch. Arrow keys choose one."
    ></div>
    <p class="reading" data-matrices="reading" aria-live="polite"></p>
    <div class="matrices" data-matrices="chosen"></div>
    ${leftOut(pictures)}
  </div>`;
}
