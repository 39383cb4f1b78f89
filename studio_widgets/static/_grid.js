// A virtualised grid: thousands of rows, of which only those in view are elements of the page.
// Search, sort, arrow keys and selection are here; a table says what its rows and columns are.
import { UNKNOWN, element, isKnown, oncePerFrame, studioRoot } from "./_shared.js";

const ROW_HEIGHT = 30;
const HEADER_HEIGHT = 32;
const OVERSCAN = 6;

export function setText(cell, text, title = "") {
  cell.textContent = text;
  cell.title = title;
  cell.classList.toggle("studio-unknown", text === UNKNOWN);
}

// The columns that fit into `width` pixels, in their own order. Names come first: columns
// that few people need make room for whole names, the others only for the shortest.
function columnsThatFit(columns, width, nameWidth) {
  const shown = new Set(columns);
  const byKeep = [...columns].sort((a, b) => a.keep - b.keep);
  const needed = () => [...shown].reduce((sum, c) => sum + c.min, 0);
  const extra = Math.max(0, nameWidth - columns[0].min);
  for (const column of byKeep) {
    if (needed() + (column.keep < 5.5 ? extra : 0) <= width || column.keep >= 8) break;
    shown.delete(column);
  }
  return columns.filter((c) => shown.has(c));
}

// Indices of `visible` rows in the order of a column; unknown values come last either way.
function sortedRows(visible, column, descending, data) {
  if (!column) return visible;
  const collator = new Intl.Collator("en", { numeric: true });
  const sign = descending ? -1 : 1;
  return visible.sort((a, b) => {
    const x = column.value(data, a);
    const y = column.value(data, b);
    const unknown = Number(!isKnown(x) || x === "") - Number(!isKnown(y) || y === "");
    if (unknown || !isKnown(x) || !isKnown(y)) return unknown || a - b;
    return sign * (column.numeric ? x - y : collator.compare(x, y)) || a - b;
  });
}

// A column is { key, title, min, keep, value(data, i), fill(cell, data, i) }, and may have grow,
// hint, numeric and make(cell). `this.data` is null or has ids, indexOf, folded (what is searched,
// in lower case) and nameWidth. A table says `columnsOf()`, `words`, `selectedKey`, and may say
// `isShown(i)`, `markRow(row, i)` and `detailOf(i)`.
export class Grid {
  constructor(model, el, className) {
    this.model = model;
    // Each widget is a module of its own, so a counter here would start anew for each.
    this.uid = `studio-table-${Math.random().toString(36).slice(2)}`;
    this.data = null;
    this.order = [];
    this.pool = [];
    this.columns = [];
    this.active = 0; // position in `order` that the keyboard is on
    this.off = [];
    this.draw = oncePerFrame(() => this.drawRows());
    this.arrangeSoon = oncePerFrame(() => this.arrange()); // column and direction change as one
    this.build(el, className);
    this.listen();
  }

  isShown() {
    return true;
  }

  markRow() {}

  build(el, className) {
    this.root = studioRoot(el, `studio-table ${className}`);
    this.bar = element("div", "studio-table-bar");
    this.search = element("input", "studio-search");
    this.search.type = "search";
    this.search.placeholder = `Search ${this.words.many}  ( / )`;
    this.search.setAttribute("aria-label", this.words.search);
    this.count = element("span", "studio-table-count");
    this.count.setAttribute("role", "status");
    this.bar.append(this.search, this.count);
    this.grid = element("div", "studio-grid");
    this.grid.tabIndex = 0;
    this.grid.setAttribute("role", "grid");
    this.grid.setAttribute("aria-label", this.words.grid);
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
    this.root.append(this.bar, this.grid, this.empty, this.detail);
  }

  listen() {
    this.on("change:_rows", () => this.load());
    this.on("change:search", () => {
      this.grid.scrollTop = 0;
      this.arrangeSoon();
    });
    this.on("change:sort_by change:sort_descending", this.arrangeSoon);
    this.on(`change:${this.selectedKey}`, () => this.reveal());
    this.on("change:height", () => this.resize());
    this.search.addEventListener("input", () => this.save({ search: this.search.value }));
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    this.grid.addEventListener("scroll", this.draw, { passive: true });
    this.grid.addEventListener("focus", () => this.draw());
    this.body.addEventListener("click", (event) => this.onClick(event));
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.root);
  }

  on(names, handler) {
    this.model.on(names, handler);
    this.off.push(() => this.model.off(names, handler));
  }

  dispose() {
    this.observer.disconnect();
    for (const off of this.off) off();
  }

  save(values) {
    for (const [key, value] of Object.entries(values)) this.model.set(key, value);
    this.model.save_changes();
  }

  // Which rows are shown and in which order.
  arrange() {
    if (!this.data) return;
    const query = this.model.get("search").trim().toLowerCase();
    if (document.activeElement !== this.search) this.search.value = this.model.get("search");
    const n = this.data.ids.length;
    const found = [];
    for (let i = 0; i < n; i += 1) if (this.isShown(i) && (!query || this.data.folded[i].includes(query))) found.push(i);
    const column = this.columnsOf().find((c) => c.key === this.model.get("sort_by"));
    const before = this.order[this.active];
    this.order = sortedRows(found, column, this.model.get("sort_descending"), this.data);
    this.active = Math.max(0, this.order.indexOf(before));
    const noun = n === 1 ? this.words.one : this.words.many;
    this.count.textContent = found.length === n ? `${n} ${noun}` : `${found.length} of ${n} ${noun}`;
    this.empty.textContent = n === 0 ? this.words.none : query ? `No ${this.words.one} matches “${query}”.` : this.words.hidden;
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
    const columns = columnsThatFit(this.columnsOf(), this.root.clientWidth - 16, this.data ? this.data.nameWidth : 0);
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
    const selected = this.data.ids[i] === this.model.get(this.selectedKey);
    row.dataset.position = position;
    this.markRow(row, i);
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
    this.save({ [this.selectedKey]: this.data.ids[this.order[position]] });
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
    else if (key === "Escape") this.save({ [this.selectedKey]: "" });
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

  // Bring the selected row into view and say in words what the table says in short.
  reveal() {
    if (!this.data) return;
    const position = this.order.indexOf(this.data.indexOf.get(this.model.get(this.selectedKey)));
    if (position >= 0) this.moveTo(position);
    this.showDetail();
    this.draw();
  }

  showDetail() {
    const i = this.data.indexOf.get(this.model.get(this.selectedKey));
    const parts = i === undefined ? [element("span", "studio-hint", this.words.select)] : this.detailOf(i);
    this.detail.replaceChildren(...parts);
  }
}
