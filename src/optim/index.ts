export { Adadelta, type AdadeltaOptions } from './adadelta';
export { Adam } from './adam';
export { AdamW, type AdamWOptions } from './adamw';
export { clipFactor, clipGradNorm, clipGradValue, gradNorm, lerp, measureGradNorm, scaleGradients } from './grad_norm';
export { MovingAverage } from './moving_average';
export { Optimizer, parameterGroups, type Group, type OptimizerState, type ParameterGroup } from './optimizer';
export { RMSprop, type RMSpropOptions } from './rmsprop';
export { learningRate, type CosineSchedule } from './schedule';
export { SGD, type SGDOptions } from './sgd';
export {
  cosineSchedule,
  oneCycleSchedule,
  PlateauSchedule,
  stepSchedule,
  type CosineSettings,
  type OneCycleSettings,
  type PlateauSettings,
  type Schedule,
  type StepSettings,
} from './schedules';
