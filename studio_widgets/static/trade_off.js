// The trade-off of a plan's loss against another quantity: a point taken is a plan taken.
import { element, isKnown, readDocument, studioRoot, svgElement } from "./_shared.js";

const SIZE = { width: 560, height: 210, left: 62, right: 16, top: 12, bottom: 36 };
const STEPS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 };

class TradeOff {
  constructor(model, el) {
    this.model = model;
    this.root = studioRoot(el, "studio-trade-off");
    this.plot = element("div", "studio-trade-plot");
    this.readout = element("div", "studio-trade-readout");
    this.readout.setAttribute("aria-live", "polite");
    this.root.append(this.plot, this.readout);
    this.handlers = { "change:_document": () => this.load(), "change:taken": () => this.mark() };
    for (const [name, handler] of Object.entries(this.handlers)) model.on(name, handler);
  }

  dispose() {
    for (const [name, handler] of Object.entries(this.handlers)) this.model.off(name, handler);
  }

  async load() {
    const asked = this.model.get("_document");
    const found = await readDocument(asked);
    if (asked !== this.model.get("_document")) return; // a newer one is on its way
    this.found = found;
    this.root.hidden = !found;
    if (found) this.draw();
  }

  draw() {
    const { width, height, left, right, top, bottom } = SIZE;
    const { points, x: xLabel, y: yLabel } = this.found;
    const xs = points.map((p) => p.x);
    const [low, high] = [Math.min(...xs), Math.max(...xs)];
    const most = Math.max(...points.map((p) => p.y + (p.error || 0)), 1e-12) * 1.05;
    const x = (value) => left + ((value - low) / (high - low || 1)) * (width - left - right);
    const y = (value) => height - bottom - (Math.max(0, value) / most) * (height - top - bottom);
    const svg = svgElement("svg", { viewBox: `0 0 ${width} ${height}`, class: "studio-trade-chart", role: "group" });
    svg.setAttribute("aria-label", `${yLabel} against ${xLabel}, ${points.length} plans. Arrow keys move, Enter takes a plan.`);
    const text = (content, attributes) => {
      const node = svgElement("text", attributes);
      node.textContent = content;
      svg.append(node);
    };
    for (const share of [0, 0.5, 1]) {
      const value = (share * most) / 1.05;
      svg.append(svgElement("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "studio-trade-grid" }));
      text(Number(value.toPrecision(2)), { x: left - 6, y: y(value) + 4, "text-anchor": "end" });
    }
    const ends = [points[0], points[Math.floor(points.length / 2)], points[points.length - 1]];
    ends.forEach((point, i) => text(point.xText, { x: x(point.x), y: height - bottom + 15, "text-anchor": this.anchor(x(point.x), i) }));
    text(xLabel, { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" });
    const route = points.map((p) => `${x(p.x)},${y(p.y)}`).join(" ");
    svg.append(svgElement("polyline", { points: route, class: "studio-trade-line" }));
    for (const p of points) {
      if (isKnown(p.error)) svg.append(svgElement("line", { x1: x(p.x), x2: x(p.x), y1: y(p.y - p.error), y2: y(p.y + p.error), class: "studio-trade-error" }));
    }
    this.dots = points.map((p, i) => this.dot(p, i, x(p.x), y(p.y)));
    svg.append(...this.dots);
    this.plot.replaceChildren(element("div", "studio-trade-title", yLabel), svg);
    this.at = 0;
    this.say(-1);
    this.mark();
  }

  anchor(at) {
    if (at < SIZE.left + 20) return "start";
    return at > SIZE.width - SIZE.right - 20 ? "end" : "middle";
  }

  dot(point, i, cx, cy) {
    const dot = svgElement("circle", { cx, cy, r: 4.5, class: "studio-trade-dot", role: "button", tabindex: i ? -1 : 0 });
    dot.setAttribute("aria-label", `${point.xText}, loss ${point.yText}: take this plan`);
    dot.addEventListener("pointerenter", () => this.say(i));
    dot.addEventListener("pointerleave", () => this.say(-1));
    dot.addEventListener("focus", () => this.say(i));
    dot.addEventListener("click", () => this.take(i));
    dot.addEventListener("keydown", (event) => this.onKey(event, i));
    return dot;
  }

  onKey(event, i) {
    if (event.key === "Enter" || event.key === " ") this.take(i);
    else if (event.key in STEPS) {
      const next = Math.max(0, Math.min(this.dots.length - 1, i + STEPS[event.key]));
      this.dots[i].setAttribute("tabindex", -1);
      this.dots[next].setAttribute("tabindex", 0);
      this.dots[next].focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  take(i) {
    this.model.send({ kind: "take", index: i });
  }

  mark() {
    const taken = this.model.get("taken");
    (this.dots || []).forEach((dot, i) => dot.setAttribute("aria-pressed", String(i === taken)));
    this.say(-1);
  }

  say(i) {
    const taken = this.model.get("taken");
    const at = i >= 0 ? i : taken;
    const point = this.found && this.found.points[at];
    const verb = at === taken ? "taken: " : "";
    this.readout.textContent = point ? `${verb}${this.found.x} ${point.xText}, loss ${point.yText}` : "Each point is the best plan for its value; click one to take it.";
  }
}

async function render({ model, el }) {
  const chart = new TradeOff(model, el);
  await chart.load();
  return () => chart.dispose();
}

export default { render };
