import { InvalidArgumentError, Option, type Command } from 'commander';
import { CASES, parseCase, PEER_NAMES, type PeerName } from '../../bench/models/case';
import type { BenchModelsArguments } from './bench_models_action';
import { collect, deviceOption, precisionOption, wholeNumber } from '../options';

function cases(text: string): string[] {
  try {
    return text.split(',').map((word) => parseCase(word).text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function peerNames(text: string): PeerName[] {
  const names = text.split(',').map((word) => word.trim());
  const unknown = names.find((name) => !PEER_NAMES.some((known) => known === name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`expected names of ${PEER_NAMES.join(', ')}, got '${unknown}'`);
  return PEER_NAMES.filter((name) => names.includes(name));
}

/** Adds `morphmlp bench models`. */
export function registerBenchModels(bench: Command): void {
  bench
    .command('models')
    .description('forward and training step of whole networks, compared with PyTorch and ONNX Runtime')
    .option('--cases <list>', `'VARIANT forward|train BATCH', separated by commas (default: ${CASES.cpu[0]}, …)`, cases)
    .addOption(deviceOption())
    .addOption(precisionOption())
    .addOption(
      new Option('--launch <how>', 'our kernels on a GPU: individual launches, or replay of CUDA graphs')
        .choices(['launched', 'graph'])
        .default(undefined, 'launched'),
    )
    .option(
      '--peers [names]',
      `let ${PEER_NAMES.join(', ')} (default: all) take turns with ours, where they are`,
      peerNames,
    )
    .option('--rounds <n>', 'turns of which the median counts', wholeNumber(1), 9)
    .option('--threads <n>', 'threads that compute, of ours and the peers (default: physical cores)', wholeNumber(1))
    .option(
      '--recompute <n>',
      'blocks that training computes again in its backward, for less memory (default: as train does)',
      wholeNumber(0),
    )
    .option('--out <file>', 'write the figures as JSON (morphmlp bench compare takes these)')
    .option('--html <file>', 'write a page: ranking, and the history of --history')
    .option('--history <file>', 'an earlier results file for the page, the oldest first; may be repeated', collect)
    .addHelpText(
      'after',
      `
Examples:
  morphmlp bench models
  morphmlp bench models --cases 'video-s-16 forward 1, image-t train 8' --rounds 5
  MORPHMLP_TORCH_PYTHON=venv/bin/python morphmlp bench models --peers --out models.json
  morphmlp bench models --cases 'video-s-16 train 1' --recompute 2
  morphmlp bench models --device cuda --precision bf16 --peers
  morphmlp bench models --device cuda --launch graph
  morphmlp bench models --peers --html models.html --history last_week.json

Every output is compared with float64 before it is timed, and ours with the peers'; in bf16 the error of ours may be twice that of
PyTorch. torch.compile takes minutes a case to compile; --peers pytorch leaves it out. Each runs in its own process, and all take turns, so that noise affects all of them. GFLOPs count two operations per
multiply-add and three forwards per training step. The share is relative to the FMA peak (multiply-adds from registers) measured in the same
rounds (in bf16 of products of bf16, on a GPU by mma.sync). Installation of the peers: bench/peers/README.md in the repository.`,
    )
    .action(async (given: BenchModelsArguments) => (await import('./bench_models_action.js')).benchModels(given));
}
