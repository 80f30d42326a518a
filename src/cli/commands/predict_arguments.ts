import type { Device, Precision } from '../../core/native';
import type { Distance } from '../../data/video/windows';
import type { SegmentFlags } from './segment_options';

/** Arguments of `morphmlp predict`. */
export interface PredictArguments extends SegmentFlags {
  /** Files of a segmentation: the mask, and the picture with its colours. */
  out?: string;
  overlay?: string;
  checkpoint: string;
  top: number;
  json?: boolean;
  csv?: string;
  sheet?: string;
  every?: Distance;
  window?: Distance;
  timeline?: string;
  framesAsClip?: boolean;
  frameSize?: [number, number];
  clips: number;
  crops: '1' | '3';
  ignoreSar?: boolean;
  device: Device;
  precision: Precision;
}
