// What the widgets share: reading the wire, writing numbers, following the theme.
// Every name that comes from a model is hostile text, so nothing here makes HTML.

export const UNKNOWN = "–";
const THIN_SPACE = "\u2009";
const SVG = "http://www.w3.org/2000/svg";

export function element(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

export function svgElement(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

// The root of a widget. JupyterLab takes arrow keys and Enter for its own shortcuts unless
// the element asks it not to.
export function studioRoot(el, className) {
  const root = element("div", `studio ${className}`);
  root.dataset.lmSuppressShortcuts = "true";
  el.style.width = "100%"; // in a VBox an anywidget is as narrow as its content
  el.appendChild(root);
  return root;
}

// A widget is drawn before it is put into the page, when a box gets new children.
export function whenInPage(el, isGone) {
  return new Promise((resolve) => {
    const look = () => {
      if (el.isConnected || isGone()) resolve();
      else requestAnimationFrame(look);
    };
    look();
  });
}

function bytesOf(view) {
  if (!view || !view.byteLength) return new Uint8Array(0);
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

// Text arrives as zlib-compressed JSON.
export async function readDocument(view) {
  const bytes = bytesOf(view);
  if (!bytes.length) return null;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
}

export function readFloats(view) {
  return new Float32Array(bytesOf(view).slice().buffer); // the copy aligns it to 4 bytes
}

// Planned sparsity of each of n layers as uint16 (65534 = 1, 65535 = not in the plan, here
// NaN), then a lock byte each.
export function readPlan(view, n) {
  const bytes = bytesOf(view);
  if (bytes.length !== 3 * n) return null;
  const numbers = new Uint16Array(bytes.slice(0, 2 * n).buffer);
  const planned = Float64Array.from(numbers, (v) => (v === 65535 ? NaN : v / 65534));
  return { planned, locked: bytes.slice(2 * n) };
}

export function isKnown(value) {
  return value !== null && value !== undefined && !Number.isNaN(value);
}

// 25557032 → "25.6 M"
export function formatCount(value) {
  if (!isKnown(value)) return UNKNOWN;
  const units = ["", "k", "M", "G", "T", "P"];
  let scaled = value;
  let index = 0;
  while (Math.abs(scaled) >= 999.5 && index < units.length - 1) {
    scaled /= 1000;
    index += 1;
  }
  if (index === 0) return scaled.toFixed(0);
  const size = Math.abs(scaled);
  const digits = size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
  return `${scaled.toFixed(digits)}${THIN_SPACE}${units[index]}`;
}

// 0.8 → "0.80"; a fraction too small for two digits keeps three, and none at all is "0".
export function formatFraction(value) {
  if (!isKnown(value)) return UNKNOWN;
  if (value === 0) return "0";
  if (value > 0 && value < 0.0005) return "<0.001";
  return value > 0 && value < 0.005 ? value.toFixed(3) : value.toFixed(2);
}

export function formatExact(value, unit) {
  return isKnown(value) ? `${value.toLocaleString("en-US")} ${unit}` : `${unit}: not known`;
}

// A value of a curve, three digits that matter.
export function formatValue(value) {
  if (!isKnown(value)) return UNKNOWN;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
  return String(Number(value.toPrecision(3)));
}

// 1 → "the", 2 → "2nd": for "… most sensitive".
export function ordinal(k) {
  const tens = k % 100;
  const ending = tens > 10 && tens < 14 ? "th" : ["th", "st", "nd", "rd"][k % 10] || "th";
  return k === 1 ? "the" : `${k}${ending}`;
}

// Step 0 (robust) to 4 (sensitive) of a score within the range of all scores, and -1 where
// it is unknown: the same layer has the same colour in the table and in the chart.
export function heatSteps(scores) {
  let low = Infinity;
  let high = -Infinity;
  for (const score of scores) {
    if (score < low) low = score;
    if (score > high) high = score;
  }
  // Layers that differ by a few percent get one colour: a full ramp would cry wolf.
  const span = Math.max(high - low, 0.25 * Math.abs(high));
  return Array.from(scores, (score) => {
    if (!isKnown(score)) return -1;
    return span > 0 ? Math.min(4, Math.floor((5 * (score - low)) / span)) : 0;
  });
}

// Calls back when JupyterLab changes its theme; returns how to stop. The style sheets of the
// theme can land after the attribute, hence the second call.
export function onThemeChange(callback) {
  let late = 0;
  const observer = new MutationObserver(() => {
    requestAnimationFrame(callback);
    clearTimeout(late);
    late = setTimeout(callback, 300);
  });
  observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  return () => {
    clearTimeout(late);
    observer.disconnect();
  };
}

// Many calls in one frame become one.
export function oncePerFrame(callback) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      callback();
    });
  };
}
