export { AdamW, type AdamWOptions } from './adamw';
export { clipFactor, clipGradNorm, gradNorm, lerp, measureGradNorm, scaleGradients } from './grad_norm';
export { MovingAverage } from './moving_average';
export { Optimizer, parameterGroups, type Group, type OptimizerState, type ParameterGroup } from './optimizer';
export { learningRate, type CosineSchedule } from './schedule';
export { SGD, type SGDOptions } from './sgd';
