/** Code of the model for the page: that of the functions themselves, so that it is always what ran. */
import { AblatedFc } from '../../models/ablated_fc';
import { ablationWords } from '../../models/ablation';
import type { MorphMlpConfig } from '../../models/config';
import { Downsample, PatchEmbed } from '../../models/embed';
import { Block, Mlp, MorphFcS, MorphFcS2, MorphFcT, MorphMLP } from '../../models/morphmlp';
import { Reweight } from '../../models/reweight';
import { chunkOf } from '../../study/chunks';

/** A listing. */
export interface Listing {
  id: string;
  /** Class and method. */
  name: string;
  /** The file of the source. */
  file: string;
  /** Where the paper describes it. */
  section: string;
  code: string;
}

/** Reverts what the compiler does to imports, and the indentation inside of a class. */
function readable(code: string): string {
  const plain = code.replace(/\(0, \w+\.(\w+)\)/g, '$1').replace(/\b\w+_1\./g, '');
  const last = /\n( *)\}$/.exec(plain)?.[1] ?? '';
  return plain.replaceAll(`\n${last}`, '\n');
}

/** A private method, which the page shows but does not call. */
function methodOf(type: { prototype: object }, method: string): string {
  return readable(String((type.prototype as Record<string, unknown>)[method]));
}

const MODEL = 'src/models/morphmlp.ts';

function listing(
  id: string,
  type: { name: string; prototype: object },
  file: string,
  section: string,
  methods: readonly string[] = ['forward'],
): Listing {
  const code = methods.map((method) => methodOf(type, method)).join('\n\n');
  return { id: `code-${id}`, name: `${type.name}.${methods.join(', ')}`, file, section, code };
}

/** The listings of a model, in the order of its layers. */
export function listingsOf(config: MorphMlpConfig): Listing[] {
  const parts = ['temporalPart', 'spatialPart', 'mlpPart'];
  const ablated = ablationWords(config).length > 0;
  const spatial = ablated
    ? [listing('spatial', AblatedFc, 'src/models/ablated_fc.ts', 'tables 8 to 10', ['forward', 'mixed', 'addSpatial'])]
    : [listing('spatial', MorphFcS, MODEL, 'section 3.2'), listing('spatial4', MorphFcS2, MODEL, 'section 3.2')];
  return [
    listing('stem', PatchEmbed, 'src/models/embed.ts', 'section 3.4'),
    listing('block', Block, MODEL, 'section 3.4', parts),
    ...(config.kind === 'video' ? [listing('temporal', MorphFcT, MODEL, 'section 3.3')] : []),
    ...spatial,
    listing('reweight', Reweight, 'src/models/reweight.ts', 'section 3.2'),
    listing('mlp', Mlp, MODEL, 'section 3.4'),
    listing('downsample', Downsample, 'src/models/embed.ts', 'section 3.4'),
    listing('head', MorphMLP, MODEL, 'section 3.4', ['classify']),
    {
      id: 'code-chunks',
      name: 'chunkOf',
      file: 'src/study/chunks.ts',
      section: 'section 3.2',
      code: readable(String(chunkOf)),
    },
  ];
}

/** The first line of a listing that contains a text; null if none does. */
export function lineWith({ code }: Listing, text: string): string | null {
  return (
    code
      .split('\n')
      .find((line) => line.includes(text))
      ?.trim() ?? null
  );
}
