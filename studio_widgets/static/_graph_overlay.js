// Values on the graph: their colours by node, and the legend that says what the colours mean.
import { element } from "./_shared.js";
import { safeColour } from "./_graph_paint.js";

const STRIP = 16;

// Colours and texts of an overlay by node, and for each group the colours inside it.
export function readOverlay(document, index) {
  if (!document) return null;
  const palette = document.palette.map(safeColour);
  const colours = document.colours.map((c) => (c < 0 ? "" : palette[c]));
  return { ...document, colours, groups: insideGroups(document.values, colours, index) };
}

// For each group the colours of the nodes in it, smallest value first, at most STRIP of them.
function insideGroups(values, colours, index) {
  const inside = index.group.id.map(() => []);
  const ranked = values.map((_, i) => i).filter((i) => colours[i]).sort((a, b) => values[a] - values[b]);
  for (const i of ranked) for (const g of index.around(i)) inside[g].push(colours[i]);
  return inside.map((found) =>
    found.length <= STRIP ? found : Array.from({ length: STRIP }, (_, k) => found[Math.round((k * (found.length - 1)) / (STRIP - 1))]));
}

function entry(colour, words) {
  const item = element("span", "studio-graph-entry");
  const dot = element("i", "studio-graph-swatch");
  dot.style.backgroundColor = colour; // only ever a colour: an address would not be fetched
  item.append(dot, element("span", "", words));
  return item;
}

export function drawLegend(root, { overlay, index, scene, colours }) {
  root.replaceChildren();
  if (!overlay) {
    const shown = new Set(Array.from(scene.ref).filter((ref) => ref >= 0).map((ref) => index.node.kind[ref]));
    for (const kind of [...shown].sort((a, b) => a - b)) root.append(entry(colours.kinds[kind], index.kinds[kind]));
    return;
  }
  root.append(element("span", "studio-graph-legend-title", overlay.label));
  if (overlay.ramp.length) root.append(ramp(overlay));
  for (const [colour, words] of overlay.steps) root.append(entry(safeColour(colour) || "transparent", words));
  root.append(entry(colours.none, "no value"));
}

function ramp(overlay) {
  const root = element("span", "studio-graph-entry");
  const bar = element("span", "studio-graph-ramp");
  for (const colour of overlay.ramp) {
    const part = element("i");
    part.style.backgroundColor = safeColour(colour);
    bar.append(part);
  }
  root.append(element("span", "", overlay.ends[0]), bar, element("span", "", overlay.ends[1]));
  return root;
}
