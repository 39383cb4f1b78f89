// The layer table: a virtualised grid. Rows arrive once (compressed text), curves and the
// plan as buffers; only the rows in view are elements of the page.
import { element, formatExact, heatSteps, oncePerFrame, readDocument, readFloats, readPlan, studioRoot } from "./_shared.js";
import { COLUMNS, columnsThatFit, sortedRows } from "./_table_columns.js";

const ROW_HEIGHT = 30;
const HEADER_HEIGHT = 32;
const OVERSCAN = 6;

class LayerTable {
  constructor(model, el) {
    this.model = model;
    // Each widget is a module of its own, so a counter here would start anew for each.
    this.uid = `studio-table-${Math.random().toString(36).slice(2)}`;
    this.data = null;
    this.order = [];
    this.pool = [];
    this.columns = [];
    this.active = 0; // position in `order` that the keyboard is on
    this.draw = oncePerFrame(() => this.drawRows());
    this.build(el);
    this.listen();
  }

  build(el) {
    this.root = studioRoot(el, "studio-table");
    const bar = element("div", "studio-table-bar");
    this.search = element("input", "studio-search");
    this.search.type = "search";
    this.search.placeholder = "Search layers  ( / )";
    this.search.setAttribute("aria-label", "Search layers by name, operator, node or status");
    this.count = element("span", "studio-table-count");
    this.count.setAttribute("role", "status");
    bar.append(this.search, this.count);
    this.grid = element("div", "studio-grid");
    this.grid.tabIndex = 0;
    this.grid.setAttribute("role", "grid");
    this.grid.setAttribute("aria-label", "Layers of the model");
    this.header = element("div", "studio-grid-header");
    this.header.setAttribute("role", "row");
    this.header.setAttribute("aria-rowindex", "1");
    const headGroup = element("div", "studio-grid-headgroup");
    headGroup.setAttribute("role", "rowgroup");
    headGroup.append(this.header);
    this.body = element("div", "studio-grid-body");
    this.body.setAttribute("role", "rowgroup");
    this.empty = element("div", "studio-grid-empty");
    this.grid.append(headGroup, this.body);
    this.detail = element("div", "studio-table-detail");
    this.detail.setAttribute("aria-live", "polite");
    this.root.append(bar, this.grid, this.empty, this.detail);
  }

  listen() {
    const on = (names, handler) => {
      this.model.on(names, handler);
      this.off = [...(this.off || []), () => this.model.off(names, handler)];
    };
    on("change:_rows", () => this.load());
    on("change:_curves change:_curve_label", () => this.readCurves());
    on("change:_plan", () => this.readPlan());
    on("change:search", () => {
      this.grid.scrollTop = 0;
      this.arrange();
    });
    on("change:sort_by change:sort_descending", () => this.arrange());
    on("change:selected_layer", () => this.reveal());
    on("change:height", () => this.resize());
    this.search.addEventListener("input", () => this.save({ search: this.search.value }));
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    this.grid.addEventListener("scroll", this.draw, { passive: true });
    this.grid.addEventListener("focus", () => this.draw());
    this.body.addEventListener("click", (event) => this.onClick(event));
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.root);
  }

  dispose() {
    this.observer.disconnect();
    for (const off of this.off) off();
  }

  save(values) {
    for (const [key, value] of Object.entries(values)) this.model.set(key, value);
    this.model.save_changes();
  }

  async load() {
    const asked = this.model.get("_rows");
    const rows = await readDocument(asked);
    if (asked !== this.model.get("_rows") || !rows) return; // newer rows are on their way
    const folded = rows.id.map((_, i) =>
      [rows.name[i], rows.op[i], rows.node[i], rows.statuses[rows.status[i]].label].join("\n").toLowerCase());
    // About 7 pixels a letter; very long names are cut rather than push all columns out.
    const nameWidth = Math.min(260, 20 + 7 * rows.name.reduce((max, name) => Math.max(max, name.length), 0));
    this.data = { rows, folded, nameWidth, indexOf: new Map(rows.id.map((id, i) => [id, i])) };
    this.readCurves();
    this.readPlan();
    this.resize();
    this.reveal();
  }

  readCurves() {
    if (!this.data) return;
    const n = this.data.rows.id.length;
    const buffer = readFloats(this.model.get("_curves"));
    const m = n && buffer.length ? buffer.length / n - 1 : 0;
    this.data.numPoints = m;
    this.data.curves = buffer.subarray(0, n * m);
    this.data.scores = buffer.length ? buffer.subarray(n * m) : new Float32Array(n).fill(NaN);
    this.data.heat = heatSteps(this.data.scores);
    this.data.curveMax = this.data.curves.reduce((max, y) => (y > max ? y : max), 0) || 1;
    // As many digits for all rows, so that the numbers stand in columns.
    const largest = this.data.scores.reduce((max, y) => (Math.abs(y) > max ? Math.abs(y) : max), 0);
    this.data.scoreDigits = largest > 0 ? Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(largest)))) : 2;
    this.data.label = this.model.get("_curve_label");
    this.arrange();
  }

  readPlan() {
    if (!this.data) return;
    this.data.plan = readPlan(this.model.get("_plan"), this.data.rows.id.length);
    if (this.model.get("sort_by") === "planned") this.arrange();
    else this.draw();
    this.showDetail();
  }

  // Which rows are shown and in which order.
  arrange() {
    if (!this.data) return;
    const query = this.model.get("search").trim().toLowerCase();
    if (document.activeElement !== this.search) this.search.value = this.model.get("search");
    const n = this.data.rows.id.length;
    const found = [];
    for (let i = 0; i < n; i += 1) if (!query || this.data.folded[i].includes(query)) found.push(i);
    const column = COLUMNS.find((c) => c.key === this.model.get("sort_by"));
    const before = this.order[this.active];
    this.order = sortedRows(found, column, this.model.get("sort_descending"), this.data);
    this.active = Math.max(0, this.order.indexOf(before));
    this.count.textContent = found.length === n ? `${n} layers` : `${found.length} of ${n} layers`;
    this.empty.textContent = n === 0 ? "This model has no layers with weights." : `No layer matches “${query}”.`;
    this.empty.hidden = found.length > 0;
    this.grid.setAttribute("aria-rowcount", String(found.length + 1));
    this.markSorted();
    this.resize();
  }

  resize() {
    const height = HEADER_HEIGHT + this.order.length * ROW_HEIGHT;
    this.body.style.height = `${this.order.length * ROW_HEIGHT}px`;
    // One pixel each for the borders, and room for a horizontal scroll bar.
    this.grid.style.height = `${Math.min(this.model.get("height"), height + 2)}px`;
    const columns = columnsThatFit(this.root.clientWidth - 16, this.data ? this.data.nameWidth : 0);
    const keys = columns.map((c) => c.key).join();
    if (this.root.clientWidth && keys !== this.columns.map((c) => c.key).join()) this.setColumns(columns);
    this.draw();
  }

  setColumns(columns) {
    this.columns = columns;
    const template = columns.map((c) => (c.grow ? `minmax(${c.min}px, ${c.grow}fr)` : `minmax(${c.min}px, max-content)`));
    this.root.style.setProperty("--studio-columns", template.map((t, i) => (columns[i].grow ? t : `${columns[i].min}px`)).join(" "));
    this.root.style.setProperty("--studio-min-width", `${columns.reduce((sum, c) => sum + c.min, 0) + 16}px`);
    this.grid.setAttribute("aria-colcount", String(columns.length));
    this.header.replaceChildren(...columns.map((column) => this.headerCell(column)));
    this.pool.forEach((row) => row.remove());
    this.pool = [];
    this.markSorted();
  }

  headerCell(column) {
    const cell = element("div", `studio-th${column.numeric ? " studio-numeric" : ""}`);
    cell.setAttribute("role", "columnheader");
    cell.dataset.key = column.key;
    const button = element("button", "studio-sort", column.title);
    button.type = "button";
    button.title = `${column.hint ? `${column.hint}. ` : ""}Click to sort.`;
    button.addEventListener("click", () => this.sortBy(column));
    cell.append(button);
    return cell;
  }

  // First click: largest first for numbers, A to Z for text; second: the other way; third:
  // the order of the model again.
  sortBy(column) {
    const first = Boolean(column.numeric);
    const descending = this.model.get("sort_descending");
    if (this.model.get("sort_by") !== column.key) this.save({ sort_by: column.key, sort_descending: first });
    else if (descending === first) this.save({ sort_descending: !first });
    else this.save({ sort_by: "", sort_descending: false });
    this.grid.scrollTop = 0;
    this.arrange();
  }

  markSorted() {
    const direction = this.model.get("sort_descending") ? "descending" : "ascending";
    for (const cell of this.header.children) {
      cell.setAttribute("aria-sort", cell.dataset.key === this.model.get("sort_by") ? direction : "none");
    }
  }

  drawRows() {
    if (!this.data || !this.columns.length) return;
    const first = Math.max(0, Math.floor(this.grid.scrollTop / ROW_HEIGHT) - OVERSCAN);
    const needed = Math.ceil(this.grid.clientHeight / ROW_HEIGHT) + 2 * OVERSCAN;
    const last = Math.min(this.order.length, first + needed);
    while (this.pool.length < last - first) this.pool.push(this.makeRow());
    let activeRow = "";
    this.pool.forEach((row, k) => {
      const position = first + k;
      row.hidden = position >= last;
      if (row.hidden) return;
      this.fillRow(row, position);
      if (position === this.active) activeRow = row.id;
    });
    if (activeRow) this.grid.setAttribute("aria-activedescendant", activeRow);
    else this.grid.removeAttribute("aria-activedescendant");
  }

  makeRow() {
    const row = element("div", "studio-tr");
    row.id = `${this.uid}-${this.pool.length}`;
    row.setAttribute("role", "row");
    this.columns.forEach((column) => {
      const cell = element("div", `studio-td studio-td-${column.key}${column.numeric ? " studio-numeric" : ""}`);
      cell.setAttribute("role", column.key === "name" ? "rowheader" : "gridcell");
      if (column.make) column.make(cell);
      row.append(cell);
    });
    this.body.append(row);
    return row;
  }

  fillRow(row, position) {
    const i = this.order[position];
    const selected = this.data.rows.id[i] === this.model.get("selected_layer");
    row.dataset.position = position;
    row.dataset.status = this.data.rows.statuses[this.data.rows.status[i]].key;
    row.style.transform = `translateY(${position * ROW_HEIGHT}px)`;
    row.classList.toggle("studio-active", position === this.active);
    row.setAttribute("aria-rowindex", String(position + 2));
    row.setAttribute("aria-selected", String(selected));
    this.columns.forEach((column, k) => column.fill(row.children[k], this.data, i));
  }

  onClick(event) {
    const row = event.target.closest(".studio-tr");
    if (row) this.select(Number(row.dataset.position));
  }

  select(position) {
    if (!this.order.length) return;
    this.active = position;
    this.save({ selected_layer: this.data.rows.id[this.order[position]] });
    this.reveal();
  }

  onKey(event) {
    const inSearch = event.target === this.search;
    if (event.key === "/" && !inSearch) {
      this.search.focus();
      this.search.select();
    } else if (inSearch && event.key === "Escape") this.save({ search: (this.search.value = "") });
    else if (inSearch && event.key === "ArrowDown") this.grid.focus();
    else if (event.target === this.grid && this.onGridKey(event.key)) this.draw();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  onGridKey(key) {
    const last = this.order.length - 1;
    const page = Math.max(1, Math.floor((this.grid.clientHeight - HEADER_HEIGHT) / ROW_HEIGHT) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -last, End: last };
    if (key in steps) this.moveTo(Math.max(0, Math.min(last, this.active + steps[key])));
    else if (key === "ArrowLeft" || key === "ArrowRight") this.grid.scrollLeft += key === "ArrowLeft" ? -60 : 60;
    else if (key === "Enter" || key === " ") this.select(this.active);
    else if (key === "Escape") this.save({ selected_layer: "" });
    else return false;
    return true;
  }

  moveTo(position) {
    this.active = position;
    const top = position * ROW_HEIGHT;
    const room = this.grid.clientHeight - HEADER_HEIGHT - ROW_HEIGHT;
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top > this.grid.scrollTop + room) this.grid.scrollTop = top - room;
    this.drawRows(); // at once, so that the active row exists when a screen reader asks
  }

  // Bring the selected layer into view and say in words what the table says in short.
  reveal() {
    if (!this.data) return;
    const position = this.order.indexOf(this.data.indexOf.get(this.model.get("selected_layer")));
    if (position >= 0) this.moveTo(position);
    this.showDetail();
    this.draw();
  }

  showDetail() {
    const i = this.data.indexOf.get(this.model.get("selected_layer"));
    if (i === undefined) {
      this.detail.replaceChildren(element("span", "studio-hint", "Select a layer to see it in words."));
      return;
    }
    const { rows } = this.data;
    const status = rows.statuses[rows.status[i]];
    const facts = [
      rows.op[i], rows.shape[i], formatExact(rows.params[i], "parameters"), formatExact(rows.macs[i], "MACs"),
      rows.node[i] && `node ${rows.node[i]}`,
    ].filter(Boolean).join(" · ");
    const badge = element("span", "studio-badge", status.label);
    badge.dataset.status = status.key;
    const line = element("div", "studio-detail-line");
    line.append(element("strong", "", rows.name[i]), badge, element("span", "studio-reason", rows.reasons[rows.reason[i]]));
    this.detail.replaceChildren(line, element("div", "studio-hint", facts));
  }
}

async function render({ model, el }) {
  const table = new LayerTable(model, el);
  await table.load();
  return () => table.dispose();
}

export default { render };
