// Two curves of one layer over each other: A dashed, B solid, with their standard errors.
import { drawAxes, makeAxes } from "./_axes.js";
import { beginCanvas, themeColours } from "./_canvas.js";
import { CurveGeometry } from "./_curve_geometry.js";
import { element, formatValue, isKnown, oncePerFrame, onThemeChange, readDocument, readFloats, studioRoot } from "./_shared.js";

const DASHES = [[6, 4], []];
const LETTERS = ["A", "B"];

class CurvePair {
  constructor(model, el) {
    this.model = model;
    this.data = null;
    this.point = -1; // the level that is read out
    this.draw = oncePerFrame(() => this.drawAll());
    this.build(el);
    this.listen();
  }

  build(el) {
    this.root = studioRoot(el, "studio-curve-pair");
    const head = element("div", "studio-pair-head");
    this.title = element("strong", "studio-pair-title");
    this.label = element("span", "studio-hint");
    this.legend = element("span", "studio-pair-legend");
    head.append(this.title, this.label, this.legend);
    this.plot = element("div", "studio-pair-plot");
    this.plot.tabIndex = 0;
    this.plot.setAttribute("role", "application");
    this.plot.setAttribute("aria-roledescription", "chart");
    this.canvas = element("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.plot.append(this.canvas);
    this.readout = element("div", "studio-pair-readout");
    this.readout.setAttribute("aria-live", "polite");
    this.root.append(head, this.plot, this.readout);
  }

  listen() {
    const load = oncePerFrame(() => this.load());
    this.model.on("change:_labels change:_curves", load);
    this.model.on("change:height", this.draw);
    this.plot.addEventListener("pointermove", (event) => this.pointTo(event));
    this.plot.addEventListener("keydown", (event) => this.onKey(event));
    const observer = new ResizeObserver(this.draw);
    observer.observe(this.plot);
    this.stops = [
      () => this.model.off("change:_labels change:_curves", load), () => this.model.off("change:height", this.draw),
      () => observer.disconnect(), onThemeChange(this.draw),
    ];
  }

  dispose() {
    for (const stop of this.stops) stop();
  }

  async load() {
    const asked = this.model.get("_labels");
    const labels = await readDocument(asked);
    if (asked !== this.model.get("_labels")) return; // newer ones are on their way
    this.root.hidden = !labels;
    if (!labels) return;
    const buffer = readFloats(this.model.get("_curves"));
    const m = buffer.length / 5;
    const levels = buffer.subarray(0, m);
    this.data = {
      ...labels, n: 2, m, levels, values: buffer.subarray(m, 3 * m), errors: buffer.subarray(3 * m),
      level: (i, k) => levels[k],
    };
    this.point = -1;
    this.title.textContent = labels.name;
    this.label.textContent = labels.label;
    this.legend.replaceChildren(...LETTERS.map((letter, i) => this.legendEntry(letter, [labels.left, labels.right][i])));
    this.plot.setAttribute("aria-label", `${labels.name}: ${labels.label}, A and B over sparsity. Left and Right move between levels.`);
    this.say();
    this.draw();
  }

  legendEntry(letter, name) {
    const entry = element("span", `studio-pair-entry studio-pair-${letter}`);
    entry.append(element("i"), element("b", "", letter), element("span", "", name));
    return entry;
  }

  drawAll() {
    this.plot.style.height = `${this.model.get("height")}px`;
    const { clientWidth: width, clientHeight: height } = this.plot;
    if (!this.data || !width || !height) return;
    const colours = themeColours(this.root, {
      ink: "--studio-ink", ink2: "--studio-ink-2", line: "--studio-line", ground: "--studio-ground",
      A: "--studio-side-a", B: "--studio-side-b",
    });
    this.axes = makeAxes(this.data, width, height, false);
    const geometry = new CurveGeometry(this.data, this.axes);
    const context = beginCanvas(this.canvas, width, height);
    drawAxes(context, this.axes, colours, getComputedStyle(this.root).fontFamily);
    LETTERS.forEach((letter, i) => this.drawCurve(context, geometry, i, colours[letter]));
    if (this.point >= 0) this.drawPoint(context, geometry, colours);
  }

  drawCurve(context, geometry, i, colour) {
    const { values, errors } = this.data;
    context.fillStyle = context.strokeStyle = colour;
    context.globalAlpha = 0.16;
    for (const band of geometry.bands(i, values, errors)) context.fill(band);
    context.globalAlpha = 1;
    context.lineWidth = 2.25;
    context.lineJoin = "round";
    context.setLineDash(DASHES[i]);
    geometry.trace(context, i);
    context.stroke();
    context.setLineDash([]);
  }

  drawPoint(context, geometry, colours) {
    const x = this.axes.x(this.data.levels[this.point]);
    context.strokeStyle = colours.ink2;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, this.axes.plot.top);
    context.lineTo(x, this.axes.plot.bottom);
    context.stroke();
    LETTERS.forEach((letter, i) => {
      const at = i * this.data.m + this.point;
      if (!geometry.isKnown(at)) return;
      context.beginPath();
      context.arc(geometry.px[at], geometry.py[at], 4.5, 0, 2 * Math.PI);
      context.fillStyle = colours[letter];
      context.fill();
      context.lineWidth = 2;
      context.strokeStyle = colours.ground;
      context.stroke();
    });
  }

  pointTo(event) {
    if (!this.data || !this.axes) return;
    const sparsity = this.axes.sparsity(event.clientX - this.plot.getBoundingClientRect().left);
    let best = -1;
    this.data.levels.forEach((level, k) => {
      if (best < 0 || Math.abs(level - sparsity) < Math.abs(this.data.levels[best] - sparsity)) best = k;
    });
    this.moveTo(best);
  }

  moveTo(point) {
    if (point === this.point) return;
    this.point = point;
    this.say();
    this.draw();
  }

  onKey(event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1 };
    if (!this.data || !(event.key in steps)) return;
    this.moveTo(Math.max(0, Math.min(this.data.m - 1, this.point + steps[event.key])));
    event.preventDefault();
    event.stopPropagation();
  }

  say() {
    const { m, levels, values, errors } = this.data;
    if (this.point < 0) {
      this.readout.textContent = "Point at a sparsity, or use the arrow keys.";
      return;
    }
    const [left, right] = [0, 1].map((i) => values[i * m + this.point]);
    const text = (i, value) => {
      const error = errors[i * m + this.point];
      return `${formatValue(value)}${isKnown(error) ? ` ± ${formatValue(error)}` : ""}`;
    };
    const change = right - left;
    const sign = change > 0 ? "+" : change < 0 ? "−" : "";
    const less = isKnown(change) ? `, B less A ${sign}${formatValue(Math.abs(change))}` : "";
    this.readout.textContent = `sparsity ${Number(levels[this.point].toFixed(4))}: A ${text(0, left)}, B ${text(1, right)}${less}`;
  }
}

async function render({ model, el }) {
  const chart = new CurvePair(model, el);
  await chart.load();
  return () => chart.dispose();
}

export default { render };
