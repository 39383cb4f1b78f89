// Bars of where the time of a run goes, and the selected layer's time against its sparsity.
import { element, isKnown, readDocument, studioRoot, svgElement, UNKNOWN } from "./_shared.js";

const THIN = "\u2009";
const SIZE = { width: 420, height: 190, left: 46, right: 10, top: 10, bottom: 34 };
const BYTE_HEADS = ["sparsity", "dense", "sparse initializer", "compressed", "channels removed"];

export function timeText(ms) {
  if (!isKnown(ms)) return UNKNOWN;
  const small = Math.abs(ms) < 1 && ms !== 0;
  return `${Number((small ? ms * 1000 : ms).toPrecision(3))}${THIN}${small ? "µs" : "ms"}`;
}

class PerformanceView {
  constructor(model, el) {
    this.model = model;
    this.byOperator = false;
    this.root = studioRoot(el, "studio-performance-view");
    this.head = element("div", "studio-perf-head");
    this.warnings = element("div", "studio-perf-warnings");
    this.warnings.setAttribute("role", "status");
    this.bars = element("div", "studio-perf-bars");
    this.bars.setAttribute("role", "list");
    this.layer = element("div", "studio-perf-layer");
    this.root.append(this.head, this.warnings, this.bars, this.layer);
    this.handlers = { "change:_bars": () => this.loadBars(), "change:_layer": () => this.loadLayer(), "change:selected_layer": () => this.mark() };
    for (const [name, handler] of Object.entries(this.handlers)) model.on(name, handler);
  }

  dispose() {
    for (const [name, handler] of Object.entries(this.handlers)) this.model.off(name, handler);
  }

  async loadBars() {
    const asked = this.model.get("_bars");
    const found = await readDocument(asked);
    if (asked !== this.model.get("_bars")) return; // a newer one is on its way
    this.found = found;
    this.root.hidden = !found || !found.bars.length;
    if (!this.root.hidden) this.drawBars();
  }

  drawBars() {
    const { total, spread, words, warnings } = this.found;
    const sum = element("span", "studio-perf-total", timeText(total));
    const toggle = element("button", "studio-perf-toggle", this.byOperator ? "show layers" : "show operators");
    toggle.type = "button";
    toggle.addEventListener("click", () => {
      this.byOperator = !this.byOperator;
      this.drawBars();
      this.head.querySelector("button").focus();
    });
    this.head.replaceChildren(sum, element("span", "studio-perf-note", `a run, ± ${timeText(spread / 2)} · ${words}`), toggle);
    this.warnings.replaceChildren(...warnings.map((text) => element("div", "studio-perf-warning", text)));
    const bars = this.byOperator ? this.found.ops : this.found.bars;
    const widest = Math.max(...bars.map((bar) => bar.ms + (bar.spread || 0) / 2));
    this.bars.replaceChildren(...bars.map((bar) => this.bar(bar, widest)), this.sum(bars));
    this.mark();
  }

  bar(bar, widest) {
    const row = element(bar.id ? "button" : "div", "studio-perf-bar");
    const share = (value) => `${Math.max(0, Math.min(100, (100 * value) / widest))}%`;
    const name = element("span", "studio-perf-name", bar.name);
    name.title = bar.name;
    const track = element("span", "studio-perf-track");
    const fill = element("span", `studio-perf-fill${bar.id || bar.op ? "" : " studio-perf-rest"}`);
    fill.style.width = share(bar.ms);
    track.append(fill);
    if (isKnown(bar.spread) && bar.spread > 0) {
      const whisker = element("span", "studio-perf-whisker");
      whisker.style.left = share(bar.ms - bar.spread / 2);
      whisker.style.width = share(bar.spread);
      track.append(whisker);
    }
    const value = element("span", "studio-perf-value", timeText(bar.ms));
    if (isKnown(bar.spread)) value.append(element("span", "studio-perf-note", ` ± ${timeText(bar.spread / 2)}`));
    row.append(name, track, value);
    if (bar.id) {
      row.type = "button";
      row.dataset.id = bar.id;
      row.addEventListener("click", () => {
        this.model.set("selected_layer", bar.id);
        this.model.save_changes();
      });
    }
    const item = element("div");
    item.setAttribute("role", "listitem");
    item.append(row);
    return item;
  }

  sum(bars) {
    const row = element("div", "studio-perf-bar studio-perf-sum");
    const total = bars.reduce((sum, bar) => sum + bar.ms, 0);
    row.append(element("span", "studio-perf-name", "sum = the run"), element("span", "studio-perf-track"), element("span", "studio-perf-value", timeText(total)));
    return row;
  }

  mark() {
    const id = this.model.get("selected_layer");
    for (const row of this.bars.querySelectorAll("[data-id]")) row.setAttribute("aria-pressed", String(row.dataset.id === id));
  }

  async loadLayer() {
    const asked = this.model.get("_layer");
    const found = await readDocument(asked);
    if (asked !== this.model.get("_layer")) return;
    if (!found) {
      this.layer.replaceChildren(element("div", "studio-perf-note", "Select a layer to see what pruning brings it."));
      return;
    }
    const title = element("div", "studio-perf-title", found.name);
    const words = found.words.map((text) => element("p", "studio-perf-words", text));
    const parts = [title, ...words];
    if (isKnown(found.dense) && (found.element.length || found.channel.length)) parts.push(this.legend(found), this.chart(found));
    if (found.bytes.length) parts.push(this.bytes(found.bytes));
    this.layer.replaceChildren(...parts);
  }

  legend(found) {
    const legend = element("div", "studio-perf-legend");
    const add = (kind, text) => {
      const entry = element("span", `studio-perf-key studio-perf-key-${kind}`, text);
      legend.append(entry);
    };
    if (found.element.length) add("element", "single weights zero, measured");
    if (found.channel.length) add("channel", "channels removed, measured");
    if (found.work.length) add("work", "if the sparsity were exploited (FLOPs)");
    return legend;
  }

  chart(found) {
    const { width, height, left, right, top, bottom } = SIZE;
    const points = [...found.element, ...found.channel];
    const highest = Math.max(found.dense, ...points.map(([, ms, spread]) => ms + (spread || 0) / 2)) * 1.05;
    const x = (s) => left + s * (width - left - right);
    const y = (ms) => height - bottom - (ms / highest) * (height - top - bottom);
    const svg = svgElement("svg", { viewBox: `0 0 ${width} ${height}`, class: "studio-perf-chart", role: "img" });
    svg.setAttribute("aria-label", `Time of ${found.name} against its sparsity. ${found.words.join(" ")}`);
    const text = (content, attributes) => {
      const node = svgElement("text", attributes);
      node.textContent = content;
      svg.append(node);
    };
    for (const share of [0, 0.5, 1]) {
      const ms = (share * highest) / 1.05;
      svg.append(svgElement("line", { x1: left, x2: width - right, y1: y(ms), y2: y(ms), class: "studio-perf-grid" }));
      text(timeText(ms), { x: left - 6, y: y(ms) + 4, "text-anchor": "end" });
    }
    for (const s of [0, 0.25, 0.5, 0.75, 1]) text(String(s), { x: x(s), y: height - bottom + 15, "text-anchor": "middle" });
    text("sparsity of the layer", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" });
    const line = (rows, kind) => {
      if (!rows.length) return;
      const path = [[0, found.dense, found.denseSpread], ...rows];
      for (const [s, ms, spread] of path) {
        if (isKnown(spread)) svg.append(svgElement("line", { x1: x(s), x2: x(s), y1: y(ms - spread / 2), y2: y(ms + spread / 2), class: `studio-perf-error studio-perf-${kind}` }));
        if (kind !== "work") svg.append(svgElement("circle", { cx: x(s), cy: y(ms), r: 2.5, class: `studio-perf-dot studio-perf-${kind}` }));
      }
      svg.append(svgElement("polyline", { points: path.map(([s, ms]) => `${x(s)},${y(ms)}`).join(" "), class: `studio-perf-line studio-perf-${kind}` }));
    };
    line(found.work.map(([s, share]) => [s, share * found.dense, null]), "work");
    line(found.element, "element");
    line(found.channel, "channel");
    return svg;
  }

  bytes(rows) {
    const details = element("details", "studio-perf-bytes");
    details.append(element("summary", "", "Bytes of its weight"));
    const table = element("table");
    const head = element("tr");
    for (const name of BYTE_HEADS) head.append(element("th", "", name));
    table.append(head);
    for (const row of rows) {
      const line = element("tr");
      for (const value of row) line.append(element("td", "", value));
      table.append(line);
    }
    details.open = this.bytesOpen ?? true;
    details.addEventListener("toggle", () => { this.bytesOpen = details.open; });
    details.append(table);
    return details;
  }
}

async function render({ model, el }) {
  const view = new PerformanceView(model, el);
  await view.loadBars();
  await view.loadLayer();
  return () => view.dispose();
}

export default { render };
