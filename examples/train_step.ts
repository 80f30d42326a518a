/** Trains a small video model for a few steps on clips whose left (class 0) or right half (class 1) is bright, and saves it. */
import { backward, manualSeed, models, nn, optim, saveWeights, scope, tensor } from 'morphmlp';

const [out] = process.argv.slice(2);
const [batch, frames, size] = [4, 16, 64];
const classNames = ['left', 'right'];

/** Pixels [batch, 3, frames, size, size]: noise around 0, and 1 added to one half of every frame. */
function clips(labels: number[]): Float32Array {
  const pixels = new Float32Array(batch * 3 * frames * size * size);
  return pixels.map((_, i) => {
    const right = i % size >= size / 2 ? 1 : 0;
    const clip = Math.floor(i / (3 * frames * size * size));
    return Math.random() - 0.5 + (right === labels[clip] ? 1 : 0);
  });
}

manualSeed(0);
nn.seedInit(0);
const model = models.create('quickstart', { numClasses: classNames.length });
const optimizer = new optim.AdamW(optim.parameterGroups(model.parameters(), 0.05), { lr: 1e-3 });

for (let step = 1; step <= 10; step++) {
  const labels = Array.from({ length: batch }, (_, i) => (i + step) % 2);
  const loss = scope(() => {
    const logits = model.forward(tensor(clips(labels), [batch, 3, frames, size, size]));
    const loss = nn.crossEntropy(logits, tensor(Int32Array.from(labels)));
    backward(loss);
    optimizer.step();
    optimizer.zeroGrad();
    return loss.item();
  });
  console.log(`step ${step}  loss ${loss.toFixed(3)}`);
}
if (out) {
  const normalisation = { mean: [0, 0, 0], std: [1, 1, 1] };
  const input = models.inputSpec({ frames, rate: 1, crop: size, normalisation });
  saveWeights(out, model, { model: model.config, classNames, input });
}
