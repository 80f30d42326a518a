/** The most probable classes of videos and pictures, by a model of a file: our checkpoint, safetensors, or PyTorch's .pth. */
import { models, predict } from 'morphmlp';

async function main([checkpoint, ...files]: string[]): Promise<void> {
  if (!checkpoint || files.length === 0)
    throw new Error('expected CHECKPOINT FILE...: weights, then videos or pictures');
  const model = models.load(checkpoint);
  for (const file of files) {
    console.log(file);
    for (const { className, probability } of await predict(file, model, { top: 3 }))
      console.log(`  ${(probability * 100).toFixed(1).padStart(5)}%  ${className}`);
  }
  model.network.dispose();
}

main(process.argv.slice(2)).catch((error: Error) => {
  console.error(`predict_video: ${error.message}`);
  process.exitCode = 1;
});
