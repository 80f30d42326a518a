import { Option, type Command } from 'commander';
import { byteSize, cacheSize, collect, numberIn, onOff, timeSpan, wholeNumber } from '../options';
import type { TrainArguments } from './train_action';

const EXAMPLES = `
Examples:
  morphmlp train my_videos/
  morphmlp train my_videos/ --time 2h --model video-2m
  morphmlp train my_videos/ --find-lr
  morphmlp train --preset quickstart
  morphmlp train --preset segment-shapes
  morphmlp train my_pictures/ --task segment --model image-t --crop 512
  morphmlp train --data train.csv --val val.csv --model video-s --frames 16 --crop 224 --out runs/mine
  morphmlp train --data videos/train --val videos/val --epochs 30 --batch-size 16 --micro-batch 4 --lr 1e-4
  morphmlp train --out runs/mine --resume
  mpirun -n 4 --bind-to none morphmlp train --data train.csv --batch-size 32 --micro-batch 4
  morphmlp train --preset quickstart --plugin ./my_morph_fc.so
  morphmlp train --data train.csv --init image_s.safetensors --reset-head
  morphmlp train --preset k400_s16 DATA.PATH_TO_DATA_DIR lists DATA.PATH_PREFIX /data/k400 TRAIN.BATCH_SIZE 32
  morphmlp train --cfg K400_MLP_S16x4.yaml DATA.PATH_PREFIX /data/k400 OUTPUT_DIR runs/k400 --print-config

A csv has lines of path,label: paths relative to the csv, labels as indices or names. A folder has one folder of videos (for
an image model: of pictures) for each class. Recipes are the authors' YAML files, or ours of the same form; KEY VALUE pairs
override them. Ctrl-C saves; --resume continues bit for bit as if the run had never stopped. It takes the run's own
config.yaml; a setting that is given and changes results is an error without --accept-changes. A folder that contains a
run is rejected without --resume or --overwrite, and one that another process trains into is always rejected.

Several ranks (docs/distributed.md) share the micro-batches of each step: the same --batch-size and --micro-batch give the same
bits on any number of ranks that divides their number.`;

/** Adds `morphmlp train`. */
export function registerTrain(program: Command): void {
  program
    .command('train')
    .description('train on your own clips or pictures, on the published datasets, or on the embedded motion dataset')
    .argument(
      '[words...]',
      "a folder or list to train on, then KEY VALUE pairs that go over the recipe, as the authors' command line takes them",
    )
    .option('--cfg <file>', "a recipe: one of the authors' YAML files, or your own of the same form")
    .option(
      '--preset <name>',
      'a recipe that comes with the program: quickstart, segment-shapes, k400_s16, imagenet_t, …',
    )
    .option('--print-config', 'print the resulting configuration and exit')
    .option('--data <path>', 'training clips: a csv, a folder of class folders, or motion (motion:N for N clips)')
    .option('--val <path>', 'validation clips, in the same forms, or a share of the training files, such as 0.2')
    .option('--time <time>', 'most time that a plan takes, such as 90s, 30m or 2h (default: 30m)', timeSpan)
    .option('--no-plan', "do not look at the files: the recipe's settings for what is not given")
    .option('--separator <text>', 'separator between path and label in a csv')
    .addOption(
      new Option('--task <name>', 'classify clips, or segment pictures by folders of images/ and masks/').choices([
        'classify',
        'segment',
      ]),
    )
    .option('--reduce-zero-label', 'with --task segment: classes of masks count from 1, and 0 is ignored (ADE20K)')
    .option('--model <name>', 'quickstart, video-s, video-b, image-t, … (default: video-s)')
    .option('--frames <n>', 'frames of a clip (default: 16)', wholeNumber(1))
    .option('--rate <n>', 'distance between frames (default: 4)', wholeNumber(1))
    .option('--crop <pixels>', 'side of the square crop (default: 224)', wholeNumber(32))
    .option('--flip', 'mirror half of the training clips, whatever the recipe')
    .option('--no-flip', 'mirror no clips: for classes that depend on left and right')
    .option('--augment', "the recipes' RandAugment, erasing, resized crops, mixup and cutmix")
    .option('--init <file>', 'initial weights: .safetensors or .pth, also of an image model of the same widths')
    .option('--reset-head', 'with --init: initialise the head if the file has other classes')
    .addOption(
      new Option('--inflate <how>', 'with --init from an image model: inflation of its stem over time').choices([
        'centre',
        'mean',
      ]),
    )
    .option('--epochs <n>', 'passes over the training clips (default: 60)', wholeNumber(1))
    .option('--batch-size <n>', 'clips per step (default: 8)', wholeNumber(1))
    .option(
      '--micro-batch <n>',
      'clips per forward pass; gradients are summed over the batch (default: all)',
      wholeNumber(1),
    )
    .option('--lr <rate>', 'learning rate after the warm-up (default: 2e-4)', numberIn(0))
    .option('--find-lr', 'try learning rates on the data, draw the losses, and train nothing')
    .option('--end-lr <rate>', 'learning rate at the end of the cosine (default: 1e-6)', numberIn(0))
    .option('--warmup-epochs <n>', 'epochs of linear warm-up (default: 10, at most a sixth of the epochs)', numberIn(0))
    .option('--weight-decay <x>', 'on weights of two or more dimensions (default: 0.05)', numberIn(0))
    .option('--label-smoothing <x>', 'share of the target spread over all classes (default: 0)', numberIn(0, 1))
    .option('--drop-path <p>', "stochastic depth of the last block (default: the model's)", numberIn(0, 0.99))
    .option('--clip-norm <x>', 'largest gradient norm; 0 for no clipping (default: 0)', numberIn(0))
    .option(
      '--ema <decay>',
      'validate and keep the moving average of the weights (default: 0, none)',
      numberIn(0, 0.999999),
    )
    .option('--freeze [epochs]', 'first epochs in which only the head learns; without a number the whole run')
    .option(
      '--layer-decay <x>',
      'learning rate of a layer as a multiple of that of the layer after it (default: 1)',
      numberIn(0.01, 1),
    )
    .addOption(
      new Option(
        '--balance <how>',
        'classes of different sizes: weights in the loss, or rare ones drawn more often',
      ).choices(['none', 'weights', 'sampling']),
    )
    .option('--patience <epochs>', 'end when no epoch was better for so long (default: 0, never)', wholeNumber(0))
    .addOption(
      new Option('--sampling <how>', 'frames a fixed step apart, or one of each part of the video').choices([
        'dense',
        'segment',
      ]),
    )
    .option('--eval-every <n>', 'epochs between validations (default: 1)', wholeNumber(1))
    .option('--seed <n>', 'seed of all random choices (default: 0)', wholeNumber(0))
    .option('--workers <n>', 'threads of a host that decode and augment', wholeNumber(1))
    .option(
      '--threads <n>',
      'threads that compute (default: physical cores, shared by the ranks of a host)',
      wholeNumber(1),
    )
    .option(
      '--memory-budget <size>',
      'most memory for tensors, such as 1500M or 2G: recomputes blocks as needed',
      byteSize,
    )
    .option(
      '--cache-memory <size>',
      'most memory for decoded frames, such as 2G; 0 for none (default: a quarter of the free memory)',
      cacheSize,
    )
    .option('--plugin <file>', 'a kernel of yours in place of ours; may be repeated (see morphmlp kernel)', collect)
    .option('--device <name>', 'cpu or cuda (default: cpu)')
    .option('--precision <name>', 'of activations: f32 or bf16, with f32 weights (default: f32)')
    .option('--cuda-graph <on|off>', 'with --device cuda: record a step once and replay it (default: off)', onOff)
    .addOption(
      new Option(
        '--distributed <how>',
        'connect to the other ranks of mpirun, srun or torchrun (default: auto)',
      ).choices(['auto', 'off', 'mpi', 'nccl']),
    )
    .option('--rank-timeout <seconds>', 'longest wait for another rank (default: 300)', numberIn(0.1, 1e6))
    .addOption(
      new Option('--reduction <how>', 'sum of gradients over ranks: exact has the same bits for any number').choices([
        'exact',
        'fast',
      ]),
    )
    .option('--sync-bn', 'BatchNorm by the statistics of all ranks, of which each has one micro-batch a step')
    .option('--out <folder>', 'where checkpoints and the report go (default: runs/train)')
    .addOption(
      new Option('--resume', 'continue the run in --out, with its configuration unless one is given').conflicts(
        'overwrite',
      ),
    )
    .option('--accept-changes', 'with --resume: go on with settings other than those of the run')
    .option('--overwrite', 'replace the run in --out')
    .option('--open', 'open the report in the browser after the first epoch; it is written anew after each')
    .addHelpText('after', EXAMPLES)
    .action(async (pairs: string[], given: TrainArguments) => (await import('./train_action.js')).train(pairs, given));
}
