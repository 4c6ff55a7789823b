"use strict";
// One scale of colour for quantities. It is computed in Oklab (Ottosson 2020), where lightness is what the
// eye takes for lightness: equal steps look equal, and the order survives in grey and without colour vision.

const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

function fromOklch(lightness, chroma, hue) {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((x) => {
    const clipped = Math.min(1, Math.max(0, x));
    return Math.round(255 * (clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055));
  });
}

// 256 colours from nearly paper (small) to nearly ink (large); blue, the large ones a little violet.
function quantityColours() {
  const dark = isDark();
  const list = [];
  for (let i = 0; i < 256; ++i) {
    const share = i / 255;
    const lightness = dark ? 0.25 + 0.67 * share : 0.96 - 0.67 * share;
    const chroma = 0.02 + 0.11 * Math.sin(Math.PI * (0.1 + 0.8 * share));
    list.push(fromOklch(lightness, chroma, 235 + 40 * (dark ? 1 - share : share)));
  }
  return list;
}

const inkOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
