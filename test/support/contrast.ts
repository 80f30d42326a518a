/// <reference lib="dom" />
import type { Page } from 'playwright-core';

/** The lowest contrast ratio of these elements' text to its background, from 1 to 21; WCAG requires 4.5. */
export const contrast = (page: Page, selector: string) =>
  page.locator(selector).evaluateAll((nodes) => {
    type Color = [number, number, number, number];
    const parse = (css: string) => (css.match(/[\d.]+/g) ?? []).map(Number) as unknown as Color;
    const light = ([r, g, b]: Color) =>
      [r, g, b].reduce((sum, v, i) => {
        const s = v / 255;
        return (
          sum + (s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4) * ([0.2126, 0.7152, 0.0722][i] as number)
        );
      }, 0);
    const over = ([r, g, b, a = 1]: Color, [R, G, B]: Color): Color => [
      r * a + R * (1 - a),
      g * a + G * (1 - a),
      b * a + B * (1 - a),
      1,
    ];
    const ground = (node: Element | null): Color =>
      node ? over(parse(getComputedStyle(node).backgroundColor), ground(node.parentElement)) : [255, 255, 255, 1];
    const ratios = nodes.map((node) => {
      const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    });
    return Math.min(...ratios);
  });
