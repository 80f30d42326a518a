export interface Tried {
  file: string;
  reason: string;
}
export function platformName(): string;
export function candidates(): string[];
export function loadAddon(): { addon: unknown; file: string; tried: Tried[] };
