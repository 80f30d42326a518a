import { machine } from '../../bench/machine';
import { writeFileAtomic } from '../../formats/atomic';
import { drawLearned } from '../../report/study/learned_pictures';
import type { LearnedStudy } from '../../study/learned_types';
import { renderStudy } from '../../report/study/page';
import type { Precision } from '../../core/native';
import { setThreads } from '../../core/runtime';
import { studyCost } from '../../study/cost';
import type { Others } from '../../study/ablate';
import { studyLearned } from '../../study/learned';
import { studyMixing } from '../../study/mixing';
import { traceOf } from '../../study/trace';
import { describeSubject, trainedSubject, type Subject } from '../../study/subject';
import type { Study } from '../../study/types';
import { showNotes } from './notes';
import { checkOutputs } from './outputs';
import { withProgress, type OnProgress } from '../../terminal/progress';
import { learnedText } from './study_learned_text';
import { costText, mixingText } from './study_text';
import { openSubject } from './study_inputs';

/** Arguments of `morphmlp study`. */
export interface StudyArguments {
  checkpoint?: string;
  against?: string;
  data?: string;
  count: number;
  parts?: string[];
  work: 'forward' | 'train';
  batch: number;
  steps: number;
  tokens: number;
  others: Others;
  copies: number;
  block?: string[];
  precision: Precision;
  threads?: number;
  out: string;
  json?: string;
  trace?: string;
}

/** Results of the parts. */
type Found = Omit<Study, 'model' | 'machine'>;

/** One part of a study. A new part is a line in `PARTS`, a member of `Study` and a section of the page. */
type Part = (subject: Subject, given: StudyArguments, onProgress: OnProgress) => Found | Promise<Found>;

const PARTS: Readonly<Record<string, Part>> = {
  cost: (subject, given, onProgress) => ({ cost: studyCost(subject, given, onProgress) }),
  mixing: (subject, given, onProgress) => ({ mixing: studyMixing(subject, given, onProgress) }),
  learned: async (subject, given, onProgress) => ({ learned: await learnedOf(subject, given, onProgress) }),
};

async function learnedOf(subject: Subject, given: StudyArguments, onProgress: OnProgress): Promise<LearnedStudy> {
  const found = await studyLearned(subject, given, onProgress);
  return { ...found.learned, pictures: await drawLearned(subject, found, { blocks: given.block ?? [] }) };
}

/** What makes two networks comparable matrix by matrix. */
const networkOf = ({ network: { config } }: Subject): string => JSON.stringify({ ...config, dropPath: 0 });

/** The second checkpoint with the clips of the first. @throws if its network or its classes are others */
function secondSubject(file: string, { checkpoint, ...subject }: Subject): Subject {
  const second = { ...trainedSubject(file, undefined), clips: subject.clips };
  const differs =
    networkOf(second) !== networkOf({ checkpoint, ...subject })
      ? 'network'
      : second.classNames.join('\n') !== subject.classNames.join('\n') && 'classes';
  if (!differs) return second;
  second.network.dispose();
  throw new Error(`--against ${file}: expected the ${differs} of ${checkpoint}, got others`);
}

/** Studies what the second checkpoint has learned. */
async function studySecond(file: string, subject: Subject, given: StudyArguments): Promise<LearnedStudy> {
  const second = secondSubject(file, subject);
  try {
    return await withProgress({ label: 'against', total: 1 }, (bar) =>
      learnedOf(second, given, (done, total, doing) => bar.update(done / total, [doing])),
    );
  } finally {
    second.network.dispose();
  }
}

/** Prints what was learned, of both checkpoints if there are two. */
function showLearned({ model, learned, against }: Study, wanted: boolean): void {
  if (learned) console.log(against ? `\n${model.checkpoint}${learnedText(learned)}` : learnedText(learned));
  if (against) console.log(`\n${against.checkpoint}${learnedText(against.learned)}`);
  if (wanted && model.checkpoint === null)
    console.log('\nWhat was learned: nothing yet, the weights are random (give --checkpoint)');
}

const write = (file: string, text: string): void => writeFileAtomic(file, (out) => out(Buffer.from(text)));

async function studyParts(subject: Subject, given: StudyArguments): Promise<Found> {
  const found: Found = {};
  for (const [name, part] of Object.entries(PARTS)) {
    if (given.parts && !given.parts.includes(name)) continue;
    if (name === 'learned' && subject.checkpoint === null) continue; // random weights have learned nothing
    const result = await withProgress({ label: name, total: 1 }, (bar) =>
      part(subject, given, (done, total, doing) => bar.update(done / total, [doing])),
    );
    Object.assign(found, result);
  }
  return found;
}

/** Metadata of a trace: the model and the machine. */
const aboutOf = ({ model, machine: where }: Study): Record<string, unknown> => ({ model: model.name, ...where });

function checkFiles({ out, json, trace, parts, checkpoint, against }: StudyArguments): void {
  if (against && !checkpoint) throw new Error('--against compares two checkpoints: name the first by --checkpoint');
  if (against && parts && !parts.includes('learned'))
    throw new Error('--against compares what the part learned finds: name it in --parts');
  if (trace && parts && !parts.includes('cost'))
    throw new Error('--trace is written from what the part cost measures: name it in --parts');
  checkOutputs({ out, json, trace });
}

/** Runs `morphmlp study`. */
export async function studyModel(inputs: readonly string[], given: StudyArguments): Promise<void> {
  checkFiles(given);
  if (given.threads) setThreads(given.threads);
  const subject = await openSubject(inputs, given);
  subject.network.precision = given.precision;
  if (given.checkpoint) showNotes(given.checkpoint, { notes: subject.notes ?? [] });
  try {
    const found = await studyParts(subject, given);
    if (given.against)
      found.against = { checkpoint: given.against, learned: await studySecond(given.against, subject, given) };
    const study: Study = { model: describeSubject(subject), ...found, machine: machine() };
    if (study.cost) console.log(costText(study.cost));
    if (study.mixing) console.log(mixingText(study.mixing));
    showLearned(study, given.parts?.includes('learned') ?? true);
    if (given.trace && study.cost) write(given.trace, JSON.stringify(traceOf(study.cost, aboutOf(study))));
    if (given.json) write(given.json, `${JSON.stringify(study)}\n`);
    write(given.out, await renderStudy(study, subject.clips));
    console.log(`\npage   ${given.out}`);
    if (given.json) console.log(`json   ${given.json}`);
    if (given.trace)
      console.log(`trace  ${given.trace} (opens in ui.perfetto.dev, chrome://tracing and DevTools' Performance panel)`);
  } finally {
    subject.network.dispose();
  }
}
