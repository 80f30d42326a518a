import { amount, count, macs } from '../../terminal/format';
import type { Clip } from '../../data/types';
import type { Study } from '../../study/types';
import { html, renderPage, type Html } from '../html';
import { identityList, wrapSection } from '../parts';
import { costSection } from './cost_section';
import { learnedSection } from './learned_section';
import { mixingSection } from './mixing_section';
import { networkSection } from './network_section';
import { whatIfSection } from './what_if_section';
import type { StudySection } from './section';

/** Creates a section from a study, or null if the study lacks its data. A new section is one more entry here. */
type Maker = (study: Study, clips: readonly Clip[]) => StudySection | null | Promise<StudySection | null>;

const SECTIONS: readonly Maker[] = [networkSection, whatIfSection, costSection, mixingSection, learnedSection];

const joined = (texts: readonly (string | false | null)[]): string => texts.filter(Boolean).join(' · ');

function identity({ model, machine }: Study): Html {
  const { config, crop, parameters } = model;
  const frames = config.kind === 'video' ? `${config.frames} × ` : '';
  const threads = amount(machine.threads, 'thread');
  const facts = {
    Model: joined([
      model.name,
      `input ${frames}${crop} × ${crop}`,
      `${count(parameters)} parameters`,
      macs(model.macs),
    ]),
    Weights: model.checkpoint ?? 'random: no checkpoint was given',
    Clips: model.clips.length === 0 ? 'none' : `${model.clips.length}`,
    Machine: joined([machine.cpu, machine.device, machine.kernels, threads]),
    Versions: joined([
      `morphmlp ${machine.version}`,
      machine.commit && `commit ${machine.commit}`,
      `node ${machine.node}`,
    ]),
  };
  return identityList(facts);
}

function header(study: Study): Html {
  return html`<p class="over">MorphMLP · study</p>
    <h1>${study.model.name}</h1>
    ${identity(study)}`;
}

const once = (names: readonly string[]): string[] => [...new Set(names)];

/** Renders a study as a self-contained HTML document. */
export async function renderStudy(study: Study, clips: readonly Clip[] = []): Promise<string> {
  const made = await Promise.all(SECTIONS.map((make) => make(study, clips)));
  const sections = made.filter((section) => section !== null);
  return renderPage({
    title: `${study.model.name} · MorphMLP study`,
    sections,
    header: header(study),
    body: html`${sections.map(wrapSection)}`,
    charts: sections.flatMap((s) => s.charts ?? []),
    data: Object.fromEntries(sections.flatMap((s) => (s.data === undefined ? [] : [[s.id, s.data]]))),
    modules: once(sections.flatMap((s) => s.modules ?? [])),
    scripts: once(sections.flatMap((s) => s.scripts ?? [])),
    styles: once(sections.flatMap((s) => s.styles ?? [])),
  });
}
