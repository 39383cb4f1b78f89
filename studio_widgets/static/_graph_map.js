// The small map in the corner: the whole graph as dots, and where the view stands in it.
import { element } from "./_shared.js";

const MAP_WIDTH = 168;
const MAP_HEIGHT = 120;

export class GraphMap {
  constructor(view) {
    this.view = view;
    this.canvas = element("canvas", "studio-graph-map");
    this.canvas.setAttribute("aria-hidden", "true");
    this.picture = document.createElement("canvas");
    this.scene = null;
    const go = (event) => {
      if (!event.buttons) return;
      const [left, top] = this.scene.bounds;
      const gx = (event.offsetX - this.x) / this.scale + left;
      const gy = (event.offsetY - this.y) / this.scale + top;
      this.view.set(this.view.width / 2 - gx * this.view.zoom, this.view.height / 2 - gy * this.view.zoom, this.view.zoom);
      event.stopPropagation();
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      go(event);
    });
    this.canvas.addEventListener("pointermove", go);
  }

  // Paint all boxes once; a frame only copies that.
  show(scene, colours) {
    this.scene = scene;
    const ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.canvas, this.picture]) {
      canvas.width = MAP_WIDTH * ratio;
      canvas.height = MAP_HEIGHT * ratio;
    }
    const [left, top, right, bottom] = scene.bounds;
    this.scale = Math.min((MAP_WIDTH - 8) / Math.max(1, right - left), (MAP_HEIGHT - 8) / Math.max(1, bottom - top));
    this.x = (MAP_WIDTH - this.scale * (right - left)) / 2;
    this.y = (MAP_HEIGHT - this.scale * (bottom - top)) / 2;
    const ctx = this.picture.getContext("2d");
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (let i = 0; i < scene.numBoxes; i += 1) {
      const [x, y, w, h] = scene.box(i);
      ctx.globalAlpha = scene.isOpen(i) ? 0.25 : 0.6;
      ctx.fillStyle = colours["ink-2"];
      ctx.fillRect(this.x + (x - left) * this.scale, this.y + (y - top) * this.scale, Math.max(1, w * this.scale), Math.max(1, h * this.scale));
    }
    this.frame(colours);
  }

  frame(colours) {
    if (!this.scene) return;
    const [left, top, right, bottom] = this.view.seen();
    const [l, t, r, b] = this.scene.bounds;
    this.canvas.hidden = left <= l && top <= t && right >= r && bottom >= b;
    if (this.canvas.hidden) return;
    const ctx = this.canvas.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, this.canvas.width, this.canvas.height);
    ctx.drawImage(this.picture, 0, 0);
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    const [x0, y0] = [Math.max(1, this.x + (left - l) * this.scale), Math.max(1, this.y + (top - t) * this.scale)];
    const x1 = Math.min(MAP_WIDTH - 1, this.x + (right - l) * this.scale);
    const y1 = Math.min(MAP_HEIGHT - 1, this.y + (bottom - t) * this.scale);
    ctx.strokeStyle = colours.accent;
    ctx.fillStyle = colours["accent-soft"];
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    ctx.rect(x0, y0, Math.max(3, x1 - x0), Math.max(3, y1 - y0));
    ctx.fill();
    ctx.stroke();
  }
}
