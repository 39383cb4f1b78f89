// Painting a scene on a canvas. Only what is in view is painted, text only when it can be read,
// and details only when they are larger than a pixel or two.

const TEXT_ZOOM = 0.5;
const ROUND_ZOOM = 0.3;
const CURVE_ZOOM = 0.12;
const HEADER = 26; // studio_core.graphs.visible.HEADER_HEIGHT
const CORNER = 7;
const MOST_LABELS = 160;

const TOKENS = [
  "ink", "ink-2", "ground", "ground-2", "line", "line-strong", "accent", "accent-soft",
  "group", "group-line", "group-ink", "edge", "in", "out", "hit", "none", "card",
];

// Colours as the theme has them now.
export function graphColours(root, numKinds) {
  const style = getComputedStyle(root);
  const token = (name) => style.getPropertyValue(`--studio-${name}`).trim();
  const colours = Object.fromEntries(TOKENS.map((name) => [name, token(name) || token(`graph-${name}`)]));
  colours.kinds = Array.from({ length: numKinds }, (_, k) => token(`kind-${k}`));
  colours.font = style.fontFamily || "sans-serif";
  colours.mono = token("mono") || "monospace";
  return colours;
}

// A colour of a file as the browser understands it; what is none (or worse) is no colour.
export function safeColour(text) {
  const ctx = (safeColour.ctx ||= document.createElement("canvas").getContext("2d"));
  ctx.fillStyle = "#010203";
  ctx.fillStyle = String(text);
  return ctx.fillStyle === "#010203" ? "" : ctx.fillStyle;
}

// Black or white, whichever can be read on a colour "#rrggbb".
function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255);
  if (Number.isNaN(r + g + b)) return "#111";
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) > 0.2 ? "#161616" : "#ffffff";
}

export class GraphPainter {
  constructor(canvas) {
    this.canvas = canvas;
    this.ctx = canvas.getContext("2d");
  }

  // `state`: scene, index, view, colours, selected and hovered boxes, hoveredEdge, hits, overlay.
  paint(state) {
    const { view, colours } = state;
    const ratio = window.devicePixelRatio || 1;
    const { ctx } = this;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.fillStyle = colours.ground;
    ctx.fillRect(0, 0, view.width, view.height);
    if (!state.scene) return;
    Object.assign(this, state);
    this.seen = view.seen();
    ctx.setTransform(ratio * view.zoom, 0, 0, ratio * view.zoom, ratio * view.x, ratio * view.y);
    const visible = this.boxesInView();
    visible.filter((i) => this.scene.isOpen(i)).forEach((i) => this.openGroup(i));
    this.edges();
    visible.filter((i) => !this.scene.isOpen(i)).forEach((i) => this.closedBox(i));
    this.rings(visible);
    if (view.zoom >= TEXT_ZOOM) this.edgeLabels();
  }

  boxesInView() {
    const { rect, numBoxes } = this.scene;
    const [left, top, right, bottom] = this.seen;
    const found = [];
    for (let r = 0, i = 0; i < numBoxes; i += 1, r += 4) {
      if (rect[r] > right || rect[r + 1] > bottom) continue;
      if (rect[r] + rect[r + 2] >= left && rect[r + 1] + rect[r + 3] >= top) found.push(i);
    }
    return found;
  }

  shape([x, y, w, h], corner = CORNER) {
    const { ctx } = this;
    ctx.beginPath();
    if (this.view.zoom >= ROUND_ZOOM) ctx.roundRect(x, y, w, h, corner);
    else ctx.rect(x, y, w, h);
  }

  openGroup(i) {
    const { ctx, colours, scene } = this;
    const box = scene.box(i);
    this.shape(box, CORNER + 3);
    ctx.fillStyle = colours.group;
    ctx.fill();
    ctx.strokeStyle = colours["group-line"];
    ctx.lineWidth = Math.min(2, 1 / this.view.zoom);
    ctx.stroke();
    if (this.view.zoom < TEXT_ZOOM * 0.7) return;
    const [x, y, w] = box;
    this.sign(x + 15, y + HEADER / 2 + 1, false, colours["group-ink"]);
    ctx.textAlign = "left";
    this.text(i, "name", this.index.title(scene.ref[i]), x + 28, y + HEADER / 2 + 1, w - 40, `600 12px ${colours.font}`, colours["group-ink"]);
  }

  closedBox(i) {
    const { ctx, colours, scene, view } = this;
    const box = scene.box(i);
    const ref = scene.ref[i];
    const isGroup = ref < 0;
    const kind = isGroup ? -1 : this.index.node.kind[ref];
    const colour = this.overlay ? this.overlay.colours[ref] : "";
    if (box[2] * view.zoom < 3) { // a dot
      ctx.fillStyle = colour || (this.overlay || isGroup ? colours["group-line"] : colours.kinds[kind]);
      ctx.fillRect(box[0], box[1], box[2], box[3]);
      return;
    }
    if (isGroup && view.zoom >= ROUND_ZOOM) this.stack(box);
    this.shape(box);
    ctx.fillStyle = colours.card;
    ctx.fill();
    this.tint(box, colour, kind, isGroup);
    ctx.strokeStyle = isGroup ? colours["group-ink"] : colours["line-strong"];
    ctx.lineWidth = Math.min(isGroup ? 1.25 : 1, 1 / view.zoom);
    ctx.globalAlpha = isGroup ? 0.55 : 1;
    this.shape(box);
    ctx.stroke();
    ctx.globalAlpha = 1;
    if (isGroup && this.overlay) this.strip(box, this.overlay.groups[-1 - ref]);
    if (view.zoom >= TEXT_ZOOM * 0.7) this.words(i, box, ref, colour ? inkOn(colour) : colours.ink, Boolean(colour));
  }

  // A second edge behind the box says that there is more inside.
  stack([x, y, w, h]) {
    const { ctx, colours } = this;
    this.shape([x + 4, y + 4, w - 8, h]);
    ctx.fillStyle = colours.card;
    ctx.fill();
    ctx.globalAlpha = 0.55;
    ctx.strokeStyle = colours["group-ink"];
    ctx.lineWidth = 1;
    ctx.stroke();
    ctx.globalAlpha = 1;
  }

  tint(box, colour, kind, isGroup) {
    const { ctx, colours } = this;
    const [x, y, w, h] = box;
    if (colour) {
      ctx.fillStyle = colour;
      ctx.fill();
    } else if (this.overlay || isGroup) {
      ctx.fillStyle = isGroup ? colours.group : colours.none;
      ctx.fill();
    } else {
      ctx.fillStyle = colours.kinds[kind];
      ctx.globalAlpha = 0.1;
      ctx.fill();
      ctx.globalAlpha = 1;
      ctx.beginPath();
      if (this.view.zoom >= ROUND_ZOOM) ctx.roundRect(x, y, 4, h, [CORNER, 0, 0, CORNER]);
      else ctx.rect(x, y, Math.max(4, 1.5 / this.view.zoom), h);
      ctx.fill();
    }
  }

  // The colours of the nodes inside a closed group, from the smallest value to the largest.
  strip([x, y, w, h], colours) {
    if (!colours || !colours.length) return;
    const { ctx } = this;
    ctx.save();
    this.shape([x + 1, y + 1, w - 2, h - 2], CORNER - 1);
    ctx.clip();
    colours.forEach((colour, k) => {
      ctx.fillStyle = colour;
      ctx.fillRect(x + (k * w) / colours.length, y + h - 6, w / colours.length + 0.5, 6);
    });
    ctx.restore();
  }

  words(i, box, ref, ink, isOnColour) {
    const { ctx, colours, index } = this;
    const [x, y, w, h] = box;
    const isGroup = ref < 0;
    const second = this.secondLine(ref);
    const middle = y + h / 2 + (isGroup && this.overlay ? -2 : 0);
    const isTwo = second && h >= 34 && this.view.zoom >= TEXT_ZOOM;
    ctx.textAlign = isGroup ? "left" : "center";
    const at = isGroup ? x + 28 : x + w / 2 + 2;
    const room = isGroup ? w - 38 : w - 18;
    if (isGroup) this.sign(x + 15, middle, true, colours["group-ink"]);
    const first = isTwo ? middle - 7.5 : middle + 0.5;
    this.text(i, "name", index.title(ref), at, first, room, `600 12px ${colours.font}`, ink);
    if (!isTwo) return;
    ctx.globalAlpha = isOnColour ? 0.85 : 1;
    this.text(i, `second ${second}`, second, at, middle + 8.5, room, `10.5px ${colours.font}`, isOnColour ? ink : colours["ink-2"]);
    ctx.globalAlpha = 1;
  }

  secondLine(ref) {
    const { index } = this;
    if (ref < 0) {
      const count = index.group.size[-1 - ref];
      return `${count.toLocaleString("en-US")} node${count === 1 ? "" : "s"}`;
    }
    if (this.overlay) return this.overlay.texts[ref] || "no value";
    return index.node.line[ref];
  }

  // Plus on a closed group, minus on an open one.
  sign(x, y, isPlus, colour) {
    const { ctx } = this;
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1.2;
    ctx.beginPath();
    ctx.roundRect(x - 6.5, y - 6.5, 13, 13, 3.5);
    ctx.moveTo(x - 3.2, y);
    ctx.lineTo(x + 3.2, y);
    if (isPlus) {
      ctx.moveTo(x, y - 3.2);
      ctx.lineTo(x, y + 3.2);
    }
    ctx.stroke();
  }

  text(i, line, words, x, y, room, font, colour) {
    const { ctx } = this;
    ctx.font = font;
    ctx.textBaseline = "middle";
    ctx.fillStyle = colour;
    const key = `${i} ${line}`;
    let fitted = this.scene.fitted.get(key);
    if (fitted === undefined) {
      fitted = fittedText(ctx, words, room);
      this.scene.fitted.set(key, fitted);
    }
    ctx.fillText(fitted, x, y);
  }

  // Edges

  edges() {
    const { ctx, colours, scene, view } = this;
    const own = this.selected >= 0 ? scene.edgesOf(this.selected) : { incoming: [], outgoing: [] };
    const special = new Set([...own.incoming, ...own.outgoing]);
    const faint = [];
    const plain = [];
    for (let e = 0; e < scene.numEdges; e += 1) {
      if (!special.has(e) && this.isEdgeInView(e)) (scene.crosses[e] ? faint : plain).push(e);
    }
    const width = Math.min(1.1, 0.6 / view.zoom + 0.4);
    const quiet = this.selected >= 0 ? 0.65 : 1;
    this.stroke(faint, colours.edge, width, 0.35 * quiet);
    this.stroke(plain, colours.edge, width, quiet);
    const strong = Math.max(1.8, 1.4 / view.zoom);
    this.stroke(own.incoming, colours.in, strong, 1);
    this.stroke(own.outgoing, colours.out, strong, 1);
    if (this.hoveredEdge >= 0) this.stroke([this.hoveredEdge], colours.accent, strong, 1);
  }

  isEdgeInView(e) {
    const { edgeBounds } = this.scene;
    const [left, top, right, bottom] = this.seen;
    const b = 4 * e;
    return edgeBounds[b] <= right && edgeBounds[b + 2] >= left && edgeBounds[b + 1] <= bottom && edgeBounds[b + 3] >= top;
  }

  stroke(edges, colour, width, alpha) {
    if (!edges.length) return;
    const { ctx } = this;
    ctx.globalAlpha = alpha;
    ctx.strokeStyle = colour;
    ctx.fillStyle = colour;
    ctx.lineWidth = width;
    ctx.lineJoin = "round";
    ctx.beginPath();
    const isCurved = this.view.zoom >= CURVE_ZOOM;
    for (const e of edges) this.trace(e, isCurved);
    ctx.stroke();
    if (this.view.zoom >= 0.35) {
      ctx.beginPath();
      for (const e of edges) this.arrow(e, width);
      ctx.fill();
    }
    ctx.globalAlpha = 1;
  }

  trace(e, isCurved) {
    const { ctx } = this;
    const { points, firstPoint } = this.scene;
    const last = firstPoint[e + 1] - 1;
    ctx.moveTo(points[2 * firstPoint[e]], points[2 * firstPoint[e] + 1]);
    for (let p = firstPoint[e]; p < last; p += 1) {
      const [x0, y0, x1, y1] = points.subarray(2 * p, 2 * p + 4);
      const end = p === last - 1 && this.view.zoom >= 0.35 ? y1 - 3 : y1; // room for the arrow
      if (!isCurved || Math.abs(x1 - x0) < 0.5) ctx.lineTo(x1, end);
      else ctx.bezierCurveTo(x0, (y0 + y1) / 2, x1, (y0 + y1) / 2, x1, end);
    }
  }

  arrow(e, width) {
    const { ctx } = this;
    const { points, firstPoint } = this.scene;
    const [x, y] = points.subarray(2 * firstPoint[e + 1] - 2, 2 * firstPoint[e + 1]);
    const half = 2.6 + width * 0.6;
    ctx.moveTo(x, y);
    ctx.lineTo(x - half, y - 2.2 * half);
    ctx.lineTo(x + half, y - 2.2 * half);
  }

  // Shapes on edges: those of the selected box and the one under the mouse, and when zoomed in
  // those of the others as long as they are few.
  edgeLabels() {
    const { scene, view } = this;
    const own = this.selected >= 0 ? scene.edgesOf(this.selected) : { incoming: [], outgoing: [] };
    const wanted = new Set([...own.incoming, ...own.outgoing]);
    if (this.hoveredEdge >= 0) wanted.add(this.hoveredEdge);
    if (view.zoom >= 0.95) {
      for (let e = 0; e < scene.numEdges && wanted.size < MOST_LABELS; e += 1) {
        if (!scene.crosses[e] && this.isEdgeInView(e)) wanted.add(e);
      }
    }
    const taken = [];
    for (const e of wanted) this.edgeLabelAt(e, taken);
  }

  // Beside the last part of the edge; a label that would lie on another one is left out.
  edgeLabelAt(e, taken) {
    const { ctx, colours, scene } = this;
    const label = scene.edgeLabel(e);
    if (!label) return;
    ctx.font = `10px ${colours.font}`;
    const words = fittedText(ctx, label, 220);
    const last = scene.firstPoint[e + 1] - 1;
    const [x0, y0, x1, y1] = scene.points.subarray(2 * last - 2, 2 * last + 2);
    const isSlanted = Math.abs(x1 - x0) > 8; // then the middle of the curve is on its way sideways
    const [x, y] = isSlanted ? [x1 + 6, y1 - 8] : [x1 + 6, (y0 + y1) / 2];
    const width = ctx.measureText(words).width;
    const place = [x - 2, y - 7, x + width + 2, y + 7];
    if (taken.some((o) => place[0] < o[2] && place[2] > o[0] && place[1] < o[3] && place[3] > o[1])) return;
    taken.push(place);
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    ctx.lineJoin = "round";
    ctx.lineWidth = 3;
    ctx.strokeStyle = scene.parent[scene.target[e]] >= 0 ? colours.group : colours.ground;
    ctx.strokeText(words, x, y);
    ctx.fillStyle = colours["ink-2"];
    ctx.fillText(words, x, y);
  }

  // Marks around boxes: found by the search, under the mouse, selected, an end of its edges.
  rings(visible) {
    const { colours, scene, view } = this;
    const line = (px) => px / Math.max(0.5, Math.min(1, view.zoom));
    const ring = (i, colour, width, gap) => {
      const [x, y, w, h] = scene.box(i);
      this.ctx.strokeStyle = colour;
      this.ctx.lineWidth = view.zoom < 0.5 ? width / view.zoom : width;
      this.shape([x - gap, y - gap, w + 2 * gap, h + 2 * gap], CORNER + gap);
      this.ctx.stroke();
    };
    const isFound = (i) => this.hits.has(scene.ref[i]) || (!scene.isOpen(i) && this.groupsWithHits.has(scene.ref[i]));
    if (this.hits) visible.filter(isFound).forEach((i) => ring(i, colours.hit, line(1.8), 2));
    if (this.hovered >= 0 && this.hovered !== this.selected) ring(this.hovered, colours["ink-2"], 1, 0);
    if (this.selected < 0) return;
    const { incoming, outgoing } = scene.edgesOf(this.selected);
    incoming.forEach((e) => ring(scene.source[e], colours.in, 1.6, 0));
    outgoing.forEach((e) => ring(scene.target[e], colours.out, 1.6, 0));
    this.ctx.globalAlpha = 0.28;
    ring(this.selected, colours.accent, 7, 3.5);
    this.ctx.globalAlpha = 1;
    ring(this.selected, colours.accent, 2.2, 0);
  }
}

// A text that fits into `room`, cut in the middle: names differ at the end as much as in front.
export function fittedText(ctx, words, room) {
  const text = words.length > 400 ? `${words.slice(0, 200)}…${words.slice(-199)}` : words;
  if (ctx.measureText(text).width <= room) return text;
  let [low, high] = [0, text.length];
  const cut = (length) => {
    const tail = Math.floor(length * 0.55);
    return `${text.slice(0, length - tail)}…${tail ? text.slice(-tail) : ""}`;
  };
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (ctx.measureText(cut(middle)).width <= room) low = middle;
    else high = middle - 1;
  }
  return cut(low);
}
