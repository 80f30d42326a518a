import type { MorphMlpConfig } from './config';
import { MorphMLP, type Backbone } from './morphmlp';
import { SemanticFpn } from './semantic_fpn';

/** Builds the network of a configuration: a classifier of clips, or of pixels. @throws if the configuration is invalid */
export const buildNetwork = (config: MorphMlpConfig): Backbone =>
  config.task === 'segment' ? new SemanticFpn(config) : new MorphMLP(config);
