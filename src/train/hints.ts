/** What the history of a run says about its data and settings. */
import { percent } from '../terminal/format';
import { bestRecord, type EpochRecord } from './trainer';

/** Distance of training accuracy from validation accuracy, as a share, that means that clips are known by heart. */
const GAP = 0.2;

/** Epochs after the best one whose validation loss is this many times its loss mean that training went on for too long. */
const RISE = 1.5;

/** Epochs before which a history says nothing. */
const EPOCHS = 5;

/** Advice for a person, one sentence each; empty if nothing stands out or there was no validation. */
export function learningHints(history: readonly EpochRecord[]): string[] {
  const best = bestRecord(history, true);
  const last = history.at(-1);
  if (best === null || last === undefined || best.valTop1 === null || last.epoch < EPOCHS) return [];
  const [train, val] = [last.trainTop1, best.valTop1];
  const hints: string[] = [];
  if (train - val > GAP)
    hints.push(
      `training accuracy ${percent(train)}, validation ${percent(val)}: the network knows the training clips by heart; ` +
        'more clips help most, then --augment, a smaller --model or fewer --epochs',
    );
  if (best.valLoss !== null && last.valLoss !== null && last.valLoss > RISE * best.valLoss && best.epoch < last.epoch)
    hints.push(
      `the validation loss rose from ${best.valLoss.toFixed(2)} in epoch ${best.epoch} to ${last.valLoss.toFixed(2)}: ` +
        'best.safetensors is the network before that; --patience ends such a run early',
    );
  return hints;
}
