// The sensitivity chart: every curve on one canvas, what the person points at on another,
// so that hovering and selecting never redraw hundreds of curves.
import { drawAxes, makeAxes } from "./_axes.js";
import { beginCanvas, themeColours } from "./_canvas.js";
import { CurveGeometry } from "./_curve_geometry.js";
import { element, formatFraction, formatValue, heatSteps, isKnown, oncePerFrame, onThemeChange, ordinal, readDocument, readFloats, readPlan, studioRoot } from "./_shared.js";

const TAU = 2 * Math.PI;

class SensitivityChart {
  constructor(model, el) {
    this.model = model;
    this.data = null;
    this.hover = null; // { curve, point } under the pointer
    this.point = -1; // level that the keyboard is on
    this.draw = oncePerFrame(() => this.drawAll());
    this.drawTop = oncePerFrame(() => this.drawOverlay());
    this.build(el);
    this.listen();
  }

  build(el) {
    this.root = studioRoot(el, "studio-chart");
    const head = element("div", "studio-chart-head");
    this.label = element("div", "studio-chart-label");
    const legend = element("div", "studio-chart-legend");
    const ramp = element("span", "studio-chart-ramp");
    for (let i = 0; i < 5; i += 1) {
      const step = element("i");
      step.style.background = `var(--studio-heat-${i})`;
      ramp.append(step);
    }
    legend.append("low", ramp, "high");
    legend.title = "Colour of a layer: the mean of its curve, among all layers";
    const toggle = element("label", "studio-chart-log");
    this.log = element("input");
    this.log.type = "checkbox";
    toggle.append(this.log, "log scale");
    head.append(this.label, legend, toggle);
    this.plot = element("div", "studio-chart-plot");
    this.plot.tabIndex = 0;
    this.plot.setAttribute("role", "application");
    this.plot.setAttribute("aria-roledescription", "chart");
    this.canvases = [element("canvas"), element("canvas")];
    for (const canvas of this.canvases) canvas.setAttribute("aria-hidden", "true");
    this.tip = element("div", "studio-chart-tip");
    this.tip.hidden = true;
    this.plot.append(...this.canvases, this.tip);
    this.readout = element("div", "studio-chart-readout");
    this.readout.setAttribute("aria-live", "polite");
    this.root.append(head, this.plot, this.readout);
  }

  listen() {
    const on = (names, handler) => {
      this.model.on(names, handler);
      this.stops = [...(this.stops || []), () => this.model.off(names, handler)];
    };
    on("change:_labels change:_curves", oncePerFrame(() => this.load()));
    on("change:_plan", () => this.readPlan());
    on("change:log_y change:height", this.draw);
    on("change:selected_layer", () => {
      this.point = -1;
      this.say();
      this.draw();
    });
    this.log.addEventListener("change", () => this.save({ log_y: this.log.checked }));
    this.plot.addEventListener("pointermove", (event) => this.pointTo(event));
    this.plot.addEventListener("pointerleave", () => this.pointTo(null));
    this.plot.addEventListener("click", (event) => {
      this.pointTo(event);
      this.select(this.hover ? this.hover.curve : -1);
    });
    this.plot.addEventListener("keydown", (event) => this.onKey(event));
    this.stops.push(onThemeChange(this.draw));
    const observer = new ResizeObserver(this.draw);
    observer.observe(this.plot);
    this.stops.push(() => observer.disconnect());
  }

  dispose() {
    for (const stop of this.stops) stop();
  }

  save(values) {
    for (const [key, value] of Object.entries(values)) this.model.set(key, value);
    this.model.save_changes();
  }

  async load() {
    const asked = this.model.get("_labels");
    const labels = await readDocument(asked);
    if (asked !== this.model.get("_labels") || !labels) return; // newer ones are on their way
    const n = labels.id.length;
    const m = labels.num_points;
    const buffer = readFloats(this.model.get("_curves"));
    const numLevels = labels.shared_levels ? m : n * m;
    const scores = buffer.subarray(0, n);
    const levels = buffer.subarray(n, n + numLevels);
    const start = n + numLevels;
    this.data = {
      ...labels, n, m, scores,
      heat: heatSteps(scores),
      indexOf: new Map(labels.id.map((id, i) => [id, i])),
      values: buffer.subarray(start, start + n * m),
      errors: labels.has_errors ? buffer.subarray(start + n * m) : null,
      level: labels.shared_levels ? (i, k) => levels[k] : (i, k) => levels[i * m + k],
    };
    // Robust layers first, so that sensitive ones are drawn on top; unknown scores lead.
    this.data.ranked = [...labels.id.keys()].sort((a, b) => (isKnown(scores[a]) ? scores[a] : -Infinity) - (isKnown(scores[b]) ? scores[b] : -Infinity) || a - b);
    this.label.textContent = labels.label;
    this.plot.setAttribute("aria-label",
      `${labels.label}, ${n} layers. Up and Down move between layers by sensitivity, Left and Right between sparsity levels.`);
    this.readPlan();
    this.say();
    this.draw();
  }

  readPlan() {
    if (!this.data) return;
    this.data.plan = readPlan(this.model.get("_plan"), this.data.n);
    this.say();
    this.drawTop();
  }

  selected() {
    const found = this.data && this.data.indexOf.get(this.model.get("selected_layer"));
    return found === undefined || found === null ? -1 : found;
  }

  select(curve) {
    if (!this.data) return;
    const point = this.hover ? this.hover.point : -1;
    this.save({ selected_layer: curve < 0 ? "" : this.data.id[curve] });
    this.point = point;
    this.say();
    this.draw();
  }

  drawAll() {
    this.plot.style.height = `${this.model.get("height")}px`;
    this.log.checked = this.model.get("log_y");
    const width = this.plot.clientWidth;
    const height = this.plot.clientHeight;
    if (!this.data || !width || !height) return;
    this.readTheme();
    this.axes = makeAxes(this.data, width, height, this.model.get("log_y"));
    this.geometry = new CurveGeometry(this.data, this.axes);
    const context = this.begin(0, width, height);
    drawAxes(context, this.axes, this.colours, this.font);
    this.clipToPlot(context);
    const faint = this.selected() >= 0;
    this.drawBands(context, faint);
    context.lineWidth = 1.25;
    context.lineJoin = "round";
    context.globalAlpha = (faint ? 0.45 : 0.8) * Math.max(0.35, Math.min(1, 60 / this.data.n));
    for (const i of this.data.ranked) {
      context.strokeStyle = this.colourOf(i);
      this.geometry.trace(context, i);
      context.stroke();
    }
    context.restore();
    this.drawOverlay();
  }

  // One standard error to either side of every measured curve, fainter the more there are.
  drawBands(context, faint) {
    const { n, m, values, errors, ranked } = this.data;
    if (!errors) return;
    context.globalAlpha = (faint ? 0.06 : 0.14) * Math.max(0.35, Math.min(1, 30 / n));
    for (const i of ranked) {
      context.fillStyle = this.colourOf(i);
      for (const band of this.geometry.bands(i, values, errors)) context.fill(band);
    }
  }

  // On a logarithmic axis the smallest values lie below the plot. Marks may stand out a bit.
  clipToPlot(context, room = 1) {
    const { left, right, top, bottom } = this.axes.plot;
    context.save();
    context.beginPath();
    context.rect(left - room, top - room, right - left + 2 * room, bottom - top + 2 * room);
    context.clip();
  }

  readTheme() {
    const style = getComputedStyle(this.root);
    const heat = [0, 1, 2, 3, 4].map((k) => style.getPropertyValue(`--studio-heat-${k}`).trim());
    this.colours = {
      heat,
      ...themeColours(this.root, {
        ink: "--studio-ink", ink2: "--studio-ink-2", line: "--studio-line",
        ground: "--studio-ground", plan: "--studio-plan",
      }),
    };
    this.font = style.fontFamily;
  }

  colourOf(i) {
    return this.data.heat[i] < 0 ? this.colours.ink2 : this.colours.heat[this.data.heat[i]];
  }

  begin(layer, width, height) {
    return beginCanvas(this.canvases[layer], width, height);
  }

  drawOverlay() {
    if (!this.data || !this.axes) return;
    const context = this.begin(1, this.plot.clientWidth, this.plot.clientHeight);
    const selected = this.selected();
    this.clipToPlot(context, 8);
    this.drawPlan(context, selected);
    if (selected >= 0) this.drawStrong(context, selected, 2.5);
    if (this.hover && this.hover.curve !== selected) this.drawStrong(context, this.hover.curve, 2);
    const mark = this.hover || (selected >= 0 && this.point >= 0 && { curve: selected, point: this.point });
    if (mark) this.drawMark(context, mark);
    if (selected >= 0 && this.data.plan) this.drawPlanned(context, selected, 5.5);
    context.restore();
  }

  drawStrong(context, i, width) {
    const { m, values, errors } = this.data;
    const { px, py } = this.geometry;
    context.lineJoin = "round";
    context.strokeStyle = this.colours.ground;
    context.lineWidth = width + 3; // a halo parts the curve from its neighbours
    this.geometry.trace(context, i);
    context.stroke();
    context.strokeStyle = this.colourOf(i);
    context.fillStyle = this.colourOf(i);
    context.lineWidth = width;
    this.geometry.trace(context, i);
    context.stroke();
    for (let k = i * m; k < (i + 1) * m; k += 1) {
      if (Number.isNaN(py[k])) continue;
      if (errors && isKnown(errors[k])) {
        const top = this.axes.y(values[k] + errors[k]);
        const low = this.axes.y(values[k] - errors[k]);
        context.lineWidth = 1.25;
        context.beginPath();
        context.moveTo(px[k], top);
        context.lineTo(px[k], Number.isNaN(low) ? this.axes.plot.bottom : low);
        context.stroke();
      }
      context.beginPath();
      context.arc(px[k], py[k], m > 60 ? 1 : 2.5, 0, TAU);
      context.fill();
    }
  }

  drawMark(context, { curve, point }) {
    const { px, py } = this.geometry;
    const k = curve * this.data.m + point;
    if (point < 0 || Number.isNaN(py[k])) return;
    context.beginPath();
    context.arc(px[k], py[k], 6, 0, TAU);
    context.lineWidth = 2;
    context.strokeStyle = this.colours.ink;
    context.stroke();
  }

  drawPlan(context, selected) {
    if (!this.data.plan) return;
    context.globalAlpha = selected >= 0 ? 0.5 : 0.85;
    for (let i = 0; i < this.data.n; i += 1) {
      if (i !== selected) this.drawPlanned(context, i, this.data.n > 300 ? 1.5 : 2.75);
    }
    context.globalAlpha = 1;
  }

  drawPlanned(context, i, radius) {
    const sparsity = this.data.plan.planned[i];
    const y = this.geometry.heightAt(i, sparsity);
    if (!isKnown(sparsity) || Number.isNaN(y)) return;
    context.beginPath();
    context.arc(this.axes.x(sparsity), y, radius, 0, TAU);
    context.fillStyle = this.colours.plan;
    context.fill();
    if (radius > 3) {
      context.lineWidth = 2;
      context.strokeStyle = this.colours.ground;
      context.stroke();
    }
  }

  pointTo(event) {
    const before = this.hover;
    this.hover = null;
    if (event && this.data && this.axes) {
      const box = this.plot.getBoundingClientRect();
      this.hover = this.geometry.nearest(event.clientX - box.left, event.clientY - box.top);
      this.showTip();
    } else this.tip.hidden = true;
    if (before?.curve !== this.hover?.curve || before?.point !== this.hover?.point) this.drawTop();
  }

  showTip() {
    this.tip.hidden = !this.hover;
    if (!this.hover) return;
    const { curve, point } = this.hover;
    const { px, py } = this.geometry;
    const k = curve * this.data.m + point;
    this.tip.replaceChildren(element("strong", "", this.data.name[curve]), element("span", "", this.valueInWords(curve, point)));
    const right = px[k] > this.plot.clientWidth / 2;
    const x = right ? px[k] - this.tip.offsetWidth - 14 : px[k] + 14;
    const y = Math.min(Math.max(4, py[k] - this.tip.offsetHeight - 12), this.plot.clientHeight - this.tip.offsetHeight - 4);
    this.tip.style.transform = `translate(${Math.round(Math.max(2, x))}px, ${Math.round(y)}px)`;
  }

  valueInWords(curve, point) {
    const k = curve * this.data.m + point;
    const error = this.data.errors && isKnown(this.data.errors[k]) ? ` ± ${formatValue(this.data.errors[k])}` : "";
    const sparsity = Number(this.data.level(curve, point).toFixed(4));
    return `sparsity ${sparsity} → ${formatValue(this.data.values[k])}${error}`;
  }

  // The chart in words, for everybody and for screen readers.
  say() {
    const i = this.selected();
    if (i < 0) {
      const text = this.data ? `${this.data.n} layers. Point at a curve, or use the arrow keys.` : "";
      if (this.readout.textContent !== text) this.readout.textContent = text;
      return;
    }
    const { n, ranked, scores, plan } = this.data;
    const facts = [isKnown(scores[i]) ? `${ordinal(n - ranked.indexOf(i))} most sensitive of ${n}` : "sensitivity not known"];
    if (this.point >= 0) facts.push(this.valueInWords(i, this.point));
    if (plan && isKnown(plan.planned[i])) {
      facts.push(`planned ${formatFraction(plan.planned[i])}${plan.locked[i] ? ", locked" : ""}`);
    }
    this.readout.replaceChildren(element("strong", "", this.data.name[i]), ` · ${facts.join(" · ")}`);
  }

  onKey(event) {
    if (!this.data || !this.data.n) return;
    const i = this.selected();
    const rank = this.data.ranked.indexOf(i);
    const last = this.data.n - 1;
    const ranks = { ArrowUp: i < 0 ? last : Math.min(last, rank + 1), ArrowDown: i < 0 ? last : Math.max(0, rank - 1), Home: last, End: 0 };
    if (event.key in ranks) {
      const point = this.point;
      this.hover = null;
      this.select(this.data.ranked[ranks[event.key]]);
      this.point = point;
    } else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      if (i < 0) return;
      this.step(i, event.key === "ArrowRight" ? 1 : -1);
    } else if (event.key === "Escape") this.select(-1);
    else return;
    this.say();
    this.drawTop();
    event.preventDefault();
    event.stopPropagation();
  }

  step(i, direction) {
    const { m } = this.data;
    let k = this.point < 0 ? (direction > 0 ? -1 : m) : this.point;
    do k += direction; while (k >= 0 && k < m && !this.geometry.isKnown(i * m + k));
    if (k >= 0 && k < m) this.point = k;
  }
}

async function render({ model, el }) {
  const chart = new SensitivityChart(model, el);
  await chart.load();
  return () => chart.dispose();
}

export default { render };
