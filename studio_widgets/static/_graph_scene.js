// What is drawn: the boxes and edges of the visible part, as Python laid them out, beside the
// index of all nodes and groups, which arrives once.
// A box refers to node i by i and to group g by -1 - g.

const OPEN_FLAG = 1;

// Zlib-compressed bytes as an ArrayBuffer.
export async function inflate(view) {
  if (!view || !view.byteLength) return null;
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

export class GraphIndex {
  constructor(document) {
    this.graph = document.graph;
    this.node = document.node;
    this.group = document.group;
    this.kinds = document.kinds;
    this.nodeOf = new Map(this.node.id.map((id, i) => [id, i]));
    this.groupOf = new Map(this.group.id.map((id, g) => [id, g]));
    this.texts = null;
  }

  parentOf(ref) {
    return ref >= 0 ? this.node.group[ref] : this.group.parent[-1 - ref];
  }

  // The groups around a node or group, innermost first.
  around(ref) {
    const found = [];
    for (let g = this.parentOf(ref); g >= 0; g = this.group.parent[g]) found.push(g);
    return found;
  }

  idOf(ref) {
    return ref >= 0 ? this.node.id[ref] : this.group.id[-1 - ref];
  }

  title(ref) {
    return ref >= 0 ? this.node.label[ref] : this.group.name[-1 - ref];
  }

  // All references that `matches` says yes to, in the order of the model.
  find(matches) {
    if (!this.texts) {
      this.texts = this.node.id.map((id, i) => `${this.node.label[i]}\n${this.node.name[i]}\n${id}`.slice(0, 1000));
    }
    const found = [];
    this.group.id.forEach((id, g) => matches(id) && found.push(-1 - g));
    this.texts.forEach((text, i) => matches(text) && found.push(i));
    return found;
  }
}

export class GraphScene {
  // The order of the arrays is that of `studio_widgets._graph_wire`.
  constructor(buffer) {
    let at = 16;
    const [boxes, edges, points, labelBytes] = new Uint32Array(buffer, 0, 4);
    const take = (Kind, length) => {
      const part = new Kind(buffer, at, length);
      at += 4 * length;
      return part;
    };
    this.ref = take(Int32Array, boxes);
    this.parent = take(Int32Array, boxes);
    this.flags = take(Uint32Array, boxes);
    this.rect = take(Float32Array, 4 * boxes);
    this.source = take(Uint32Array, edges);
    this.target = take(Uint32Array, edges);
    const bundles = take(Uint32Array, edges);
    this.bundled = bundles.map((word) => word >>> 1); // how many edges of the model are this one
    this.crosses = bundles.map((word) => word & 1); // leaves or enters an open group
    this.label = take(Uint32Array, edges);
    this.firstPoint = take(Uint32Array, edges + 1);
    this.points = take(Float32Array, 2 * points);
    this.labels = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, at, labelBytes)));
    this.numBoxes = boxes;
    this.numEdges = edges;
    this.boxOf = new Map(Array.from(this.ref, (ref, i) => [ref, i]));
    this.fitted = new Map(); // texts cut to their boxes, by box and line
    this.measure();
    this.joinEdges();
  }

  measure() {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < this.numBoxes; i += 1) {
      const [x, y, w, h] = this.box(i);
      left = Math.min(left, x);
      top = Math.min(top, y);
      right = Math.max(right, x + w);
      bottom = Math.max(bottom, y + h);
    }
    this.bounds = this.numBoxes ? [left, top, right, bottom] : [0, 0, 1, 1];
    this.depth = new Uint8Array(this.numBoxes); // parents come before what they hold
    for (let i = 0; i < this.numBoxes; i += 1) {
      if (this.parent[i] >= 0) this.depth[i] = Math.min(255, this.depth[this.parent[i]] + 1);
    }
    this.edgeBounds = new Float32Array(4 * this.numEdges);
    for (let e = 0; e < this.numEdges; e += 1) {
      let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
      for (let p = this.firstPoint[e]; p < this.firstPoint[e + 1]; p += 1) {
        x0 = Math.min(x0, this.points[2 * p]);
        x1 = Math.max(x1, this.points[2 * p]);
        y0 = Math.min(y0, this.points[2 * p + 1]);
        y1 = Math.max(y1, this.points[2 * p + 1]);
      }
      this.edgeBounds.set([x0, y0, x1, y1], 4 * e);
    }
  }

  joinEdges() {
    this.incoming = new Map();
    this.outgoing = new Map();
    const add = (map, box, e) => (map.has(box) ? map.get(box).push(e) : map.set(box, [e]));
    for (let e = 0; e < this.numEdges; e += 1) {
      add(this.outgoing, this.source[e], e);
      add(this.incoming, this.target[e], e);
    }
  }

  box(i) {
    return this.rect.subarray(4 * i, 4 * i + 4);
  }

  isGroup(i) {
    return this.ref[i] < 0;
  }

  isOpen(i) {
    return this.ref[i] < 0 && (this.flags[i] & OPEN_FLAG) !== 0;
  }

  edgesOf(i) {
    return { incoming: this.incoming.get(i) || [], outgoing: this.outgoing.get(i) || [] };
  }

  edgeLabel(e) {
    const text = this.labels[this.label[e]] || "";
    const more = this.bundled[e] > 1 ? `${this.bundled[e]} tensors` : "";
    return [text, more].filter(Boolean).join(" · ");
  }

  // The innermost box at a point of the graph, -1 for none.
  boxAt(px, py) {
    for (let i = this.numBoxes - 1; i >= 0; i -= 1) {
      const r = 4 * i;
      const inside = px >= this.rect[r] && px <= this.rect[r] + this.rect[r + 2];
      if (inside && py >= this.rect[r + 1] && py <= this.rect[r + 1] + this.rect[r + 3]) return i;
    }
    return -1;
  }

  // The edge within `reach` of a point, -1 for none.
  edgeAt(px, py, reach) {
    let best = -1;
    let nearest = reach * reach;
    for (let e = 0; e < this.numEdges; e += 1) {
      const b = 4 * e;
      if (px < this.edgeBounds[b] - reach || px > this.edgeBounds[b + 2] + reach) continue;
      if (py < this.edgeBounds[b + 1] - reach || py > this.edgeBounds[b + 3] + reach) continue;
      const distance = this.distanceTo(e, px, py);
      if (distance < nearest) [best, nearest] = [e, distance];
    }
    return best;
  }

  // The squared distance to the curve as it is drawn, sampled along each of its parts.
  distanceTo(e, px, py) {
    let least = Infinity;
    for (let p = this.firstPoint[e]; p < this.firstPoint[e + 1] - 1; p += 1) {
      const [x0, y0, x1, y1] = this.points.subarray(2 * p, 2 * p + 4);
      const t = y1 === y0 ? 0.5 : Math.max(0, Math.min(1, (py - y0) / (y1 - y0)));
      const s = t * t * (3 - 2 * t);
      const [dx, dy] = [px - (x0 + (x1 - x0) * s), py - (y0 + (y1 - y0) * t)];
      least = Math.min(least, dx * dx + dy * dy);
    }
    return least;
  }

  // The box to which an arrow key moves: along an edge up and down, to the neighbour sideways.
  neighbour(i, direction) {
    const [x, y, w, h] = this.box(i);
    const middle = [x + w / 2, y + h / 2];
    const { incoming, outgoing } = this.edgesOf(i);
    if (direction === "down") return this.nearest(outgoing.map((e) => this.target[e]), middle);
    if (direction === "up") return this.nearest(incoming.map((e) => this.source[e]), middle);
    const side = direction === "left" ? -1 : 1;
    let [best, least] = [-1, Infinity];
    for (let j = 0; j < this.numBoxes; j += 1) {
      if (j === i || this.isOpen(j)) continue;
      const r = 4 * j;
      const away = side * (this.rect[r] + this.rect[r + 2] / 2 - middle[0]);
      const aside = Math.abs(this.rect[r + 1] + this.rect[r + 3] / 2 - middle[1]);
      if (away > 1 && aside < h && away + 3 * aside < least) [best, least] = [j, away + 3 * aside];
    }
    return best;
  }

  nearest(boxes, [mx]) {
    let [best, least] = [-1, Infinity];
    for (const j of boxes) {
      const away = Math.abs(this.rect[4 * j] + this.rect[4 * j + 2] / 2 - mx);
      if (away < least) [best, least] = [j, away];
    }
    return best;
  }
}
