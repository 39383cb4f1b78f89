// Which part of the graph is seen: screen = graph × zoom + shift, in CSS pixels.

const LEAST_ZOOM = 0.0005;
const MOST_ZOOM = 4;
const READABLE_ZOOM = 0.75;
const MARGIN = 28;

export class Viewport {
  constructor(onMove) {
    this.onMove = onMove;
    this.zoom = 1;
    this.x = 0;
    this.y = 0;
    this.width = 0;
    this.height = 0;
    this.frame = 0;
  }

  toGraph(sx, sy) {
    return [(sx - this.x) / this.zoom, (sy - this.y) / this.zoom];
  }

  toScreen(gx, gy) {
    return [gx * this.zoom + this.x, gy * this.zoom + this.y];
  }

  // Left, top, right and bottom of what is seen, in units of the graph.
  seen() {
    return [...this.toGraph(0, 0), ...this.toGraph(this.width, this.height)];
  }

  set(x, y, zoom) {
    cancelAnimationFrame(this.frame);
    this.place(x, y, zoom);
  }

  place(x, y, zoom) {
    [this.x, this.y] = [x, y];
    this.zoom = Math.max(LEAST_ZOOM, Math.min(MOST_ZOOM, zoom));
    this.onMove();
  }

  pan(dx, dy) {
    this.set(this.x + dx, this.y + dy, this.zoom);
  }

  // Zoom about a point of the screen, by default the middle.
  zoomBy(factor, sx = this.width / 2, sy = this.height / 2) {
    const [gx, gy] = this.toGraph(sx, sy);
    const zoom = Math.max(LEAST_ZOOM, Math.min(MOST_ZOOM, this.zoom * factor));
    this.set(sx - gx * zoom, sy - gy * zoom, zoom);
  }

  // Everything in view; `readable` shows the upper part instead where all would be too small.
  fit([left, top, right, bottom], { readable = false, glide = false } = {}) {
    const across = (this.width - 2 * MARGIN) / Math.max(1, right - left);
    const down = (this.height - 2 * MARGIN) / Math.max(1, bottom - top);
    const whole = Math.min(1, across, down);
    const zoom = readable && whole < READABLE_ZOOM ? Math.max(READABLE_ZOOM, Math.min(1, across)) : whole;
    const x = this.width / 2 - (zoom * (left + right)) / 2;
    const isTall = zoom * (bottom - top) > this.height - 2 * MARGIN;
    const y = isTall && readable ? MARGIN - zoom * top : this.height / 2 - (zoom * (top + bottom)) / 2;
    if (glide) this.glideTo(x, y, zoom);
    else this.set(x, y, zoom);
  }

  // Bring a box into the middle, unless it is well in view already.
  reveal([x, y, w, h]) {
    const zoom = this.zoom < 0.35 ? 0.9 : this.zoom;
    const [left, top] = this.toScreen(x, y);
    const [right, bottom] = this.toScreen(x + w, y + h);
    const room = Math.min(72, this.height / 7); // what comes next is seen as well
    const inside = left >= 8 && top >= room && right <= this.width - 8 && bottom <= this.height - room;
    if (inside && zoom === this.zoom) return;
    // Of what is larger than the view, the upper edge.
    const anchor = Math.min(y + h / 2, y + (0.4 * this.height) / zoom);
    this.glideTo(this.width / 2 - zoom * (x + w / 2), this.height / 2 - zoom * anchor, zoom);
  }

  glideTo(x, y, zoom) {
    cancelAnimationFrame(this.frame);
    if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.place(x, y, zoom);
      return;
    }
    const from = [this.x, this.y, this.zoom];
    const began = performance.now();
    const step = (now) => {
      const t = Math.min(1, (now - began) / 180);
      const s = t * (2 - t);
      const between = (a, b) => a + (b - a) * s;
      this.place(between(from[0], x), between(from[1], y), between(from[2], zoom));
      if (t < 1) this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }
}
