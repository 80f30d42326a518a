/** PyTorch's MNIST example (pytorch/examples, mnist/main.py), on a folder of IDX files: MNIST's, or Fashion-MNIST's. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import * as m from 'morphmlp';

const { values: given, positionals } = parseArgs({
  options: {
    epochs: { type: 'string', default: '14' },
    'batch-size': { type: 'string', default: '64' },
    weights: { type: 'string' }, // to start from
    save: { type: 'string' }, // the file to write
    plain: { type: 'boolean', default: false }, // pictures in their order, no dropout
  },
  allowPositionals: true,
});

class Net extends m.nn.Module {
  readonly conv1 = new m.nn.Conv2d(1, 32, 3);
  readonly conv2 = new m.nn.Conv2d(32, 64, 3);
  readonly dropout1 = new m.nn.Dropout(given.plain ? 0 : 0.25);
  readonly dropout2 = new m.nn.Dropout(given.plain ? 0 : 0.5);
  readonly fc1 = new m.nn.Linear(9216, 128);
  readonly fc2 = new m.nn.Linear(128, 10);

  forward(x: m.Tensor): m.Tensor {
    const seen = m.maxPool2d(this.conv2.forward(this.conv1.forward(x).relu()).relu(), 2);
    const features = this.fc1.forward(this.dropout1.forward(seen).flatten(1)).relu();
    return this.fc2.forward(this.dropout2.forward(features));
  }
}

/** Batches of a set: pictures [B, 1, 28, 28] and labels, as arrays. */
function batches(set: string, shuffle: boolean) {
  const read = (name: string, dimensions: 1 | 3) => {
    const file = path.join(positionals[0] ?? '.', `${set}-${name}-idx${dimensions}-ubyte`);
    return m.readIdx(existsSync(file) ? file : `${file}.gz`, dimensions).bytes;
  };
  const [images, labels] = [read('images', 3), read('labels', 1)];
  const pixel = (row: number, i: number) => (images[784 * row + i]! / 255 - 0.1307) / 0.3081;
  const collate = (rows: number[]) => ({
    pixels: Float32Array.from({ length: 784 * rows.length }, (_, i) => pixel(rows[Math.floor(i / 784)]!, i % 784)),
    labels: Int32Array.from(rows, (row) => labels[row]!),
  });
  return new m.DataLoader([...labels.keys()], { batchSize: Number(given['batch-size']), shuffle, collate });
}

m.manualSeed(1);
const model = new Net();
if (given.weights) model.loadStateDict(m.load(given.weights));
const optimizer = new m.optim.Adadelta(model.parameters(), { lr: 1 });
const schedule = m.optim.stepSchedule({ lr: 1, every: 1, factor: 0.7 });
const [train, test] = [batches('train', !given.plain), batches('t10k', false)];
type Batch = { pixels: Float32Array; labels: Int32Array };
const output = ({ pixels, labels }: Batch) => model.forward(m.tensor(pixels, [labels.length, 1, 28, 28]));

async function main(): Promise<void> {
  for (let epoch = 1; epoch <= Number(given.epochs); epoch++) {
    model.train();
    let step = 0;
    for await (const batch of train) {
      const loss = m.scope(() => {
        optimizer.zeroGrad();
        const loss = m.crossEntropy(output(batch), m.tensor(batch.labels));
        loss.backward();
        optimizer.step();
        return loss.item();
      });
      if (step++ % 10 === 0 || given.plain) console.log(`epoch ${epoch}  step ${step}  loss ${loss.toFixed(6)}`);
    }
    optimizer.setLr(schedule(epoch));
    model.eval();
    let [loss, right, count] = [0, 0, 0];
    for await (const batch of test)
      m.scope(() => {
        const [logits, labels] = [m.noGrad(() => output(batch)), m.tensor(batch.labels)];
        loss += m.crossEntropy(logits, labels, { reduction: 'sum' }).item();
        right += m.eq(logits.argmax(1), labels).sum().item();
        count += batch.labels.length;
      });
    console.log(`epoch ${epoch}  test loss ${(loss / count).toFixed(6)}  right ${right} of ${count}`);
  }
  if (given.save) m.save(model, given.save);
}

main()
  .catch((error: Error) => {
    console.error(`mnist: ${error.message}`);
    process.exitCode = 1;
  })
  .finally(() => {
    optimizer.dispose();
    optimizer.zeroGrad();
    model.dispose();
    console.log(`${m.memory().live} bytes live`);
  });
