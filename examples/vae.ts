/** A variational autoencoder (Kingma and Welling, 2014) of pictures of one bright row or column. */
import { bceWithLogits, manualSeed, memory, nn, optim, randn, scope, tensor, type Tensor } from 'morphmlp';

const [side, latent] = [8, 4];
const pictures = Float32Array.from({ length: 2 * side ** 3 }, (_, i) => {
  const [picture, row, column] = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side];
  return Number((picture < side ? row : column) === picture % side);
});

class Vae extends nn.Module {
  readonly encoder = new nn.Sequential(new nn.Linear(side * side, 64), new nn.ReLU(), new nn.Linear(64, 2 * latent));
  readonly decoder = new nn.Sequential(new nn.Linear(latent, 64), new nn.ReLU(), new nn.Linear(64, side * side));

  /** The negative evidence lower bound of pictures [B, side²], their mean. */
  loss(x: Tensor): Tensor {
    const [mu, logVar] = this.encoder.forward(x).split(latent, 1) as [Tensor, Tensor];
    const z = logVar.mul(0.5).exp().mul(randn(mu.shape)).add(mu);
    const missed = bceWithLogits(this.decoder.forward(z), x, { reduction: 'sum' });
    const divergence = mu.pow(2).add(logVar.exp()).sub(logVar).sub(1).sum().mul(0.5);
    return missed.add(divergence).div(x.shape[0]!);
  }
}

manualSeed(0);
const model = new Vae();
const optimizer = new optim.Adam(model.parameters(), { lr: 5e-3 });
for (let step = 1; step <= 400; step++) {
  const loss = scope(() => {
    const loss = model.loss(tensor(pictures, [2 * side, side * side]));
    loss.backward();
    optimizer.step();
    optimizer.zeroGrad();
    return loss.item();
  });
  if (step % 100 === 0) console.log(`step ${step}  loss ${loss.toFixed(2)}  ${memory().live} bytes live`);
}
