// The graph as a list: the same boxes as a tree of rows, for screen readers and for those who
// would rather read. Only the rows in view are elements of the page.
import { element, oncePerFrame } from "./_shared.js";

const LIST_ROW = 26;

export class GraphList {
  constructor({ onSelect, onToggle }) {
    Object.assign(this, { onSelect, onToggle });
    this.uid = `studio-graph-list-${Math.random().toString(36).slice(2)}`;
    this.scene = null;
    this.active = 0;
    this.pool = [];
    this.root = element("div", "studio-graph-list");
    this.root.tabIndex = 0;
    this.root.hidden = true;
    this.root.setAttribute("role", "tree");
    this.root.setAttribute("aria-label", "Groups and nodes of the graph");
    this.body = element("div", "studio-graph-list-body");
    this.body.setAttribute("role", "presentation");
    this.root.append(this.body);
    this.draw = oncePerFrame(() => this.drawRows());
    this.root.addEventListener("scroll", this.draw, { passive: true });
    this.root.addEventListener("focus", this.draw);
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    this.body.addEventListener("click", (event) => this.onClick(event));
  }

  show(scene, index, selected) {
    Object.assign(this, { scene, index, selected });
    if (selected >= 0) this.active = selected;
    this.active = Math.max(0, Math.min(this.active, scene.numBoxes - 1));
    this.body.style.height = `${scene.numBoxes * LIST_ROW}px`;
    if (!this.root.hidden) this.reveal();
    this.draw();
  }

  reveal() {
    const top = this.active * LIST_ROW;
    const room = this.root.clientHeight - LIST_ROW;
    if (top < this.root.scrollTop) this.root.scrollTop = top;
    else if (top > this.root.scrollTop + room) this.root.scrollTop = top - room;
  }

  drawRows() {
    if (this.root.hidden || !this.scene) return;
    const first = Math.max(0, Math.floor(this.root.scrollTop / LIST_ROW) - 4);
    const last = Math.min(this.scene.numBoxes, first + Math.ceil(this.root.clientHeight / LIST_ROW) + 8);
    while (this.pool.length < last - first) this.pool.push(this.makeRow());
    let activeRow = "";
    this.pool.forEach((row, k) => {
      row.hidden = first + k >= last;
      if (row.hidden) return;
      this.fillRow(row, first + k);
      if (first + k === this.active) activeRow = row.id;
    });
    if (activeRow) this.root.setAttribute("aria-activedescendant", activeRow);
  }

  makeRow() {
    const row = element("div", "studio-graph-row");
    row.id = `${this.uid}-${this.pool.length}`;
    row.setAttribute("role", "treeitem");
    row.append(element("span", "studio-graph-sign"), element("span", "studio-graph-name"), element("span", "studio-graph-more"));
    this.body.append(row);
    return row;
  }

  fillRow(row, i) {
    const { scene, index } = this;
    const ref = scene.ref[i];
    const [sign, name, more] = row.children;
    row.dataset.box = i;
    row.style.transform = `translateY(${i * LIST_ROW}px)`;
    row.style.paddingLeft = `${8 + 14 * Math.min(12, scene.depth[i])}px`;
    row.setAttribute("aria-level", String(scene.depth[i] + 1));
    row.setAttribute("aria-selected", String(i === this.selected));
    row.classList.toggle("studio-active", i === this.active);
    if (ref < 0) row.setAttribute("aria-expanded", String(scene.isOpen(i)));
    else row.removeAttribute("aria-expanded");
    sign.textContent = ref >= 0 ? "" : scene.isOpen(i) ? "−" : "+";
    name.textContent = index.title(ref);
    name.title = index.idOf(ref);
    more.textContent = ref < 0 ? String(index.group.size[-1 - ref]) : index.node.line[ref];
  }

  onClick(event) {
    const row = event.target.closest(".studio-graph-row");
    if (!row) return;
    const i = Number(row.dataset.box);
    this.active = i;
    if (event.target.classList.contains("studio-graph-sign") && this.scene.isGroup(i)) this.onToggle(i);
    else this.onSelect(i);
  }

  onKey(event) {
    if (!this.scene) return;
    const { scene, active } = this;
    const page = Math.max(1, Math.floor(this.root.clientHeight / LIST_ROW) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -scene.numBoxes, End: scene.numBoxes };
    if (event.key in steps) this.move(active + steps[event.key]);
    else if (event.key === "ArrowRight" && scene.isGroup(active) && !scene.isOpen(active)) this.onToggle(active);
    else if (event.key === "ArrowLeft" && scene.isOpen(active)) this.onToggle(active);
    else if (event.key === "ArrowLeft" && scene.parent[active] >= 0) this.move(scene.parent[active]);
    else if (event.key === "Enter" || event.key === " ") {
      if (scene.isGroup(active) && active === this.selected) this.onToggle(active);
      else this.onSelect(active);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  move(to) {
    this.active = Math.max(0, Math.min(this.scene.numBoxes - 1, to));
    this.reveal();
    this.drawRows();
  }
}
