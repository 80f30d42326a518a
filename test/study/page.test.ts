import vm from 'node:vm';
import { pageModules } from '../../src/report/page_modules';
import { PAPER_URL } from '../../src/report/study/network_section';
import { renderStudy } from '../../src/report/study/page';
import { chunkOf } from '../../src/study/chunks';
import { explainInterference, explainStage } from '../../src/study/explain';
import type { partnersOf } from '../../src/study/receptive_field';
import { fieldsOf, levelsOf, type Level, type Ways } from '../../src/study/receptive_field';
import { STUDY_MODELS } from '../../src/study/subject';
import type { Study } from '../../src/study/types';
import { sampleStudy } from './sample';

const HOSTILE = `</script><img src=x onerror="window.hacked=1">'&`;
const { study, clips } = sampleStudy();

/** The library's functions as a page has them: compiled, in a context without Node. */
function pageScript() {
  const context = vm.createContext({});
  vm.runInContext(pageModules(['study/chunks', 'study/receptive_field']), context);
  const library = context['library'] as (id: string) => object;
  return { ...library('study/chunks'), ...library('study/receptive_field') } as {
    chunkOf: typeof chunkOf;
    fieldsOf: typeof fieldsOf;
    partnersOf: typeof partnersOf;
  };
}

describe.each(['quickstart', 'video-s', 'image-t'])("the page's script on %s", (name) => {
  const script = pageScript();
  const levels = levelsOf(STUDY_MODELS[name]!, name === 'quickstart' ? 72 : 224);
  const sent = JSON.parse(JSON.stringify(levels)) as Level[]; // as embedded in the page
  const blocks = levels.flatMap(({ block }, i) => (block ? [i] : []));
  const WAYS: Ways[] = [{}, { time: false }, { branches: ['width'], time: false }, { branches: [] }, { weights: true }];

  test('computes the same fields as the library', () => {
    for (const level of [1, blocks[0]!, blocks.at(-1)!])
      for (const ways of WAYS) {
        const tokens = levels[level]!.size.reduce((a, b) => a * b, 1);
        const token = Math.floor(0.37 * tokens);
        const [ours, its] = [fieldsOf(levels, level, token, ways), script.fieldsOf(sent, level, token, ways)];
        expect(its.map((f) => Buffer.from(f).equals(Buffer.from(ours[its.indexOf(f)]!)))).toEqual(ours.map(() => true));
      }
  });

  test('computes the same chunks as the library', () => {
    for (const level of blocks) {
      const { block, size } = levels[level]!;
      const [, h, w] = size;
      for (const [way, cut] of Object.entries(block!.branches)) {
        const token = Math.floor(0.61 * h * w);
        const own = chunkOf(token, [h, w], cut);
        expect(script.chunkOf(token, [h, w], cut)).toEqual(own);
        const partners = script.partnersOf(sent[level]!, token, way);
        const expected = Array.from({ length: h * w }, (_, other) =>
          Number(chunkOf(other, [h, w], cut).chunk === own.chunk),
        );
        expect(Array.from(partners.subarray(0, h * w))).toEqual(expected);
        expect(partners.subarray(h * w).every((v) => v === 0)).toBe(true);
      }
    }
  });
});

test('the page has its sections and permitted scripts, and is self-contained', async () => {
  const page = await renderStudy(study, clips);
  for (const id of ['cost', 'mixing', 'chart-blocks', 'chart-roofline', 'chart-memory', 'chart-growth', 'data-mixing'])
    expect(page).toContain(`id="${id}"`);
  const scripts = page.match(/<script>/g)!.length;
  expect(page.match(/sha256-/g)).toHaveLength(scripts);
  expect(scripts).toBe(7); // echarts, the library's modules, four of its own, report.js
  const [text, paper] = [page.replace(/<script>.*?<\/script>/gs, ''), `<a href="${PAPER_URL}" rel="noreferrer">`];
  expect(text.split(paper).length).toBeGreaterThan(5); // the link to the paper: the only one that leaves the page
  expect(text.replaceAll(paper, '')).not.toMatch(/(src|href)="(?!#|data:)/);
  expect(page.match(/data:image\/webp/g)).toHaveLength(16);
  expect(page.replace(/<script>.*?<\/script>/gs, '')).not.toMatch(/NaN|undefined/);
});

test('a part that was not studied has no section', async () => {
  const page = await renderStudy({ model: study.model, machine: study.machine, mixing: study.mixing! }, []);
  expect(page).not.toContain('id="cost"');
  expect(page).toContain('id="mixing"');
});

test('names and paths remain text', async () => {
  const model = { ...study.model, name: HOSTILE, checkpoint: HOSTILE, clips: [{ path: HOSTILE, label: 0 }] };
  const hostile: Study = { ...study, model, mixing: { ...study.mixing!, clip: HOSTILE } };
  const page = await renderStudy(hostile, [{ ...clips[0]!, path: HOSTILE }]);
  expect(page).not.toContain(HOSTILE);
  expect(page.match(/<script/g)).toHaveLength(11); // seven that run, four of data
});

test('warns of unequal step times and CPU contention', async () => {
  const cost = { ...study.cost!, fastest: 100, slowest: 120, others: 0.05 };
  expect(explainInterference(cost)).toBeNull();
  const busy = { ...cost, slowest: 220 };
  expect(explainInterference(busy)).toMatch(/^The 1 steps took from 100 ms to 220 ms: the machine was busy/);
  expect(explainInterference({ ...cost, others: 0.4 })).toMatch(
    /^Other programs used 40% of the CPU time: the machine was/,
  );
  expect(explainInterference({ ...busy, others: 0.4 })).toMatch(/to 220 ms, and other programs used 40% of/);
  expect(await renderStudy({ ...study, cost: busy }, clips)).toContain(explainInterference(busy));
});

test('the description of a stage agrees with the figures', () => {
  const cost = study.cost!;
  for (const stage of cost.stages) {
    const sentence = explainStage(stage, cost);
    expect(sentence).toMatch(/^\d+\.\d% of the time/);
    if (stage.name.startsWith('stage'))
      expect(sentence).toMatch(stage.limit === 'FMA' ? /multiply-adds bind/ : /memory binds/);
  }
  const all = cost.stages.map((s) => parseFloat(explainStage(s, cost)));
  expect(all.reduce((a, b) => a + b, 0)).toBeCloseTo(100, 0);
});
