import { segmentMeasures } from '../train/segment_metrics';
import { classColours } from '../data/masks/png';
import { percent } from '../terminal/format';
import { html, type Html } from './html';
import { scrollTable } from './parts';
import type { Section } from './sections';
import type { ReportEvaluation } from './types';

const share = (value: number | null): Html => html`<td>${value === null ? '–' : percent(value)}</td>`;

/** Classes of a segmentation with their colours in masks, IoU and accuracy, lowest IoU first. @param of the checkpoint that it is of */
export function segmentClasses({ confusion }: ReportEvaluation, names: readonly string[], of: string): Section {
  const { classes } = segmentMeasures(confusion);
  const colours = classColours(names.length);
  const rows = classes
    .map((one, i) => ({ ...one, name: names[i]!, colour: colours[i]! }))
    .sort((a, b) => (a.iou ?? 2) - (b.iou ?? 2))
    .map(
      ({ name, pixels, iou, accuracy, colour }) =>
        html`<tr>
          <th scope="row" class="long"><i class="swatch" style="background:rgb(${colour.join(',')})"></i> ${name}</th>
          <td>${pixels.toLocaleString('en')}</td>
          ${share(iou)}${share(accuracy)}
        </tr>`,
    );
  const head = ['Class', 'Pixels', 'IoU', 'Accuracy'].map((name) => html`<th scope="col">${name}</th>`);
  const body = html`<figure class="panel">
    <figcaption>
      <h3>Classes</h3>
      <span class="muted">${of}; the swatch is the colour of the class in masks</span>
    </figcaption>
    ${scrollTable({ label: 'Classes', head, rows })}
  </figure>`;
  return { id: 'classes', name: 'Classes', body };
}
