// A graph of groups and nodes on a canvas. Python lays out what is visible and sends it as one
// buffer; here it is painted, searched, walked with the keyboard and read aloud.
import { element, oncePerFrame, onThemeChange, readDocument, studioRoot } from "./_shared.js";
import { GraphIndex, GraphScene, inflate } from "./_graph_scene.js";
import { Viewport } from "./_graph_viewport.js";
import { GraphPainter, graphColours } from "./_graph_paint.js";
import { GraphSearch } from "./_graph_search.js";
import { GraphList } from "./_graph_list.js";
import { GraphMap } from "./_graph_map.js";
import { KEYS_IN_WORDS, listenToKeys } from "./_graph_keys.js";
import { listenToPointers } from "./_graph_pointers.js";
import { drawLegend, readOverlay } from "./_graph_overlay.js";

const SAVE_VIEW_MS = 400;
const SLOW_MS = 400;

class GraphView {
  constructor(model, el) {
    this.model = model;
    this.view = new Viewport(() => this.moved());
    this.selected = this.hovered = this.hoveredEdge = -1;
    this.hits = null;
    this.overlay = this.index = this.scene = null;
    this.anchor = this.wanted = null; // what stays in place, and what to show, at the next scene
    this.draw = oncePerFrame(() => this.paint());
    this.build(el);
    this.listen();
  }

  build(el) {
    this.root = studioRoot(el, "studio-graph");
    this.search = new GraphSearch({
      model: this.model,
      onHits: (hits) => this.showHits(hits),
      onStep: (ref) => this.goTo(ref),
      onLeave: () => this.stage.focus(),
    });
    this.overlayChoice = element("select", "studio-graph-choice");
    this.overlayChoice.setAttribute("aria-label", "Colour the nodes by");
    const bar = element("div", "studio-graph-bar");
    const buttons = element("div", "studio-graph-buttons");
    buttons.append(
      this.button("Open all", "Open all groups, as far as that can be drawn", () => this.send({ kind: "open_all" })),
      this.button("Close all", "Close all groups", () => this.send({ kind: "close_all" })),
      (this.listButton = this.button("List", "Show the graph as a list as well", () => this.toggleList())),
      this.button("−", "Zoom out ( − )", () => this.view.zoomBy(1 / 1.4)),
      this.button("+", "Zoom in ( + )", () => this.view.zoomBy(1.4)),
      this.button("Fit", "Show the whole graph ( 0 )", () => this.fit()),
    );
    bar.append(this.search.root, this.overlayChoice, buttons);
    const body = element("div", "studio-graph-body");
    this.stage = element("div", "studio-graph-stage");
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-roledescription", "graph");
    this.canvas = element("canvas", "studio-graph-canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.tip = element("div", "studio-graph-tip");
    this.tip.hidden = true;
    this.notice = element("div", "studio-graph-notice");
    this.notice.setAttribute("role", "status");
    this.map = new GraphMap(this.view);
    this.list = new GraphList({ onSelect: (i) => this.select(i, { reveal: true }), onToggle: (i) => this.toggle(i) });
    this.stage.append(this.canvas, this.map.canvas, this.tip, this.notice);
    body.append(this.list.root, this.stage);
    this.body = body;
    this.legend = element("div", "studio-graph-legend");
    this.said = element("div", "studio-graph-said");
    this.said.setAttribute("role", "status");
    this.said.setAttribute("aria-live", "polite");
    this.root.append(bar, body, this.legend, this.said);
    this.painter = new GraphPainter(this.canvas);
  }

  button(words, title, onClick) {
    const button = element("button", "studio-graph-button", words);
    button.type = "button";
    button.title = title;
    if (words.length === 1) button.setAttribute("aria-label", title);
    button.addEventListener("click", onClick);
    return button;
  }

  listen() {
    this.off = [];
    const on = (names, handler) => {
      this.model.on(names, handler);
      this.off.push(() => this.model.off(names, handler));
    };
    on("change:_index", () => this.loadIndex());
    on("change:_scene", () => this.loadScene());
    on("change:_overlay change:_overlays", () => this.loadOverlay());
    on("change:_notice", () => this.showNotice());
    on("change:search change:search_regex", () => this.search.look());
    on("change:selected change:selected_group", () => this.selectionCame());
    on("change:height", () => this.resize());
    this.overlayChoice.addEventListener("change", () => this.save({ overlay: this.overlayChoice.value }));
    listenToPointers(this);
    listenToKeys(this);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.body);
    this.off.push(onThemeChange(() => this.recolour()), () => this.observer.disconnect());
  }

  dispose() {
    clearTimeout(this.saving);
    clearTimeout(this.slow);
    for (const off of this.off) off();
  }

  save(values) {
    for (const [key, value] of Object.entries(values)) this.model.set(key, value);
    this.model.save_changes();
  }

  // Ask Python; a kernel that is busy answers late, and the page says so.
  send(message) {
    clearTimeout(this.slow);
    this.slow = setTimeout(() => this.showNotice("Waiting for the kernel …"), SLOW_MS);
    this.model.send(message);
  }

  // What arrives

  async loadIndex() {
    const asked = this.model.get("_index");
    const document = await readDocument(asked);
    if (asked !== this.model.get("_index") || !document) return;
    this.isFirst = !this.index; // another graph is seen from the start, not from where this was
    this.index = new GraphIndex(document);
    this.indexed = asked;
    this.scene = this.overlay = null;
    const count = document.node.id.length.toLocaleString("en-US");
    this.stage.setAttribute("aria-label", `Graph ${document.graph}, ${count} nodes. ${KEYS_IN_WORDS}`);
    await this.loadScene();
    await this.loadOverlay();
    this.search.look(this.index);
  }

  async loadScene() {
    const asked = this.model.get("_scene");
    const buffer = await inflate(asked);
    // A scene of another graph waits for its index, which asks for it again.
    if (asked !== this.model.get("_scene") || !buffer || this.indexed !== this.model.get("_index")) return;
    clearTimeout(this.slow);
    this.showNotice();
    const before = this.scene;
    const kept = before && this.keptPlace(before);
    this.scene = new GraphScene(buffer);
    this.hovered = this.hoveredEdge = -1;
    this.anchor = null;
    this.resize();
    if (before) this.putBack(kept);
    else this.firstView();
    this.selectionCame();
    this.recolour();
    if (this.wanted !== null) this.goTo(this.wanted);
  }

  // Which box stays where it is on the screen while all others move: the one just opened or
  // closed, else the one in the middle.
  keptPlace(scene) {
    const [mx, my] = this.view.toGraph(this.view.width / 2, this.view.height / 2);
    let box = this.anchor !== null ? scene.boxOf.get(this.anchor) : scene.boxAt(mx, my);
    if (box === undefined || box < 0) box = scene.numBoxes ? 0 : -1;
    if (box < 0) return null;
    const [x, y, w] = scene.box(box);
    const refs = [scene.ref[box], ...this.index.around(scene.ref[box]).map((g) => -1 - g)];
    return { refs, place: this.view.toScreen(x + w / 2, y) };
  }

  putBack(kept) {
    const ref = kept && kept.refs.find((r) => this.scene.boxOf.has(r));
    if (ref === undefined || ref === null) return;
    const [x, y, w] = this.scene.box(this.scene.boxOf.get(ref));
    const { zoom } = this.view;
    this.view.set(kept.place[0] - zoom * (x + w / 2), kept.place[1] - zoom * y, zoom);
  }

  firstView() {
    const [x, y, zoom] = this.model.get("_viewport");
    if (zoom && this.isFirst) this.view.set(this.view.width / 2 - zoom * x, this.view.height / 2 - zoom * y, zoom);
    else this.view.fit(this.scene.bounds, { readable: true });
  }

  async loadOverlay() {
    const asked = this.model.get("_overlay");
    const document = await readDocument(asked);
    if (asked !== this.model.get("_overlay") || !this.index || this.indexed !== this.model.get("_index")) return;
    this.overlay = readOverlay(document, this.index);
    const names = this.model.get("_overlays");
    const options = [["", "Colours: kinds of nodes"], ...names].map(([key, words]) => {
      const option = element("option", "", words);
      option.value = key;
      return option;
    });
    this.overlayChoice.replaceChildren(...options);
    this.overlayChoice.value = this.model.get("overlay");
    this.overlayChoice.hidden = names.length === 0;
    if (this.scene) this.scene.fitted.clear();
    this.recolour();
  }

  showNotice(words = this.model.get("_notice")) {
    this.notice.textContent = words;
    this.notice.hidden = !words;
  }

  resize() {
    this.body.style.height = `${this.model.get("height")}px`;
    const { clientWidth, clientHeight } = this.stage;
    const ratio = window.devicePixelRatio || 1;
    const wasEmpty = !this.view.width;
    if (clientWidth && (clientWidth !== this.view.width || clientHeight !== this.view.height || ratio !== this.ratio)) {
      this.ratio = ratio;
      if (!wasEmpty) this.view.set(this.view.x + (clientWidth - this.view.width) / 2, this.view.y, this.view.zoom);
      [this.view.width, this.view.height] = [clientWidth, clientHeight];
      this.canvas.width = Math.round(clientWidth * ratio);
      this.canvas.height = Math.round(clientHeight * ratio);
      if (wasEmpty && this.scene) this.firstView();
    }
    this.root.classList.toggle("studio-graph-narrow", this.root.clientWidth < 700);
    this.list.draw();
    this.draw();
  }

  recolour() {
    if (!this.index) return;
    this.colours = graphColours(this.root, this.index.kinds.length);
    if (this.scene) {
      this.map.show(this.scene, this.colours);
      drawLegend(this.legend, this);
    }
    this.draw();
  }

  moved() {
    this.draw();
    clearTimeout(this.saving);
    this.saving = setTimeout(() => {
      const middle = this.view.toGraph(this.view.width / 2, this.view.height / 2);
      if (this.scene) this.save({ _viewport: [...middle, this.view.zoom] });
    }, SAVE_VIEW_MS);
  }

  paint() {
    if (!this.colours || !this.view.width) return;
    this.painter.paint(this);
    this.map.frame(this.colours);
  }

  fit() {
    if (this.scene) this.view.fit(this.scene.bounds, { glide: true });
  }

  // Selection

  // Selected in Python, in another view, or hidden and shown again by a group.
  selectionCame() {
    if (!this.scene || this.isSelecting) return;
    const node = this.index.nodeOf.get(this.model.get("selected"));
    const group = this.index.groupOf.get(this.model.get("selected_group"));
    const ref = node !== undefined ? node : group !== undefined ? -1 - group : null;
    const before = this.selected;
    this.selected = ref === null ? -1 : this.scene.boxOf.get(ref) ?? -1;
    this.list.show(this.scene, this.index, this.selected);
    const isNews = ref !== this.selectedRef;
    this.selectedRef = ref;
    if (this.selected >= 0 && isNews && before !== this.selected) this.view.reveal(this.scene.box(this.selected));
    this.speak(ref);
    this.draw();
  }

  select(i, { reveal = false } = {}) {
    const ref = i >= 0 ? this.scene.ref[i] : null;
    this.selected = i;
    this.selectedRef = ref;
    this.isSelecting = true; // two values that belong together are set one after the other
    this.save({
      selected: ref !== null && ref >= 0 ? this.index.idOf(ref) : "",
      selected_group: ref !== null && ref < 0 ? this.index.idOf(ref) : "",
    });
    this.isSelecting = false;
    if (reveal && i >= 0) this.view.reveal(this.scene.box(i));
    this.list.show(this.scene, this.index, i);
    this.speak(ref);
    this.draw();
  }

  // The selection in words, for eyes and screen readers.
  speak(ref) {
    if (ref === null) {
      this.said.replaceChildren(element("span", "studio-hint", "Select a node to see it in words. Double-click a group, or press Enter, to open it."));
      return;
    }
    const { index, scene } = this;
    const { incoming, outgoing } = this.selected >= 0 ? scene.edgesOf(this.selected) : { incoming: [], outgoing: [] };
    const words = (n, one, className) => element("span", className, `${n} ${one}${n === 1 ? "" : "s"}`);
    const facts = [];
    if (ref < 0) {
      facts.push(element("span", "", `group of ${index.group.size[-1 - ref].toLocaleString("en-US")} nodes, ${this.selected >= 0 && scene.isOpen(this.selected) ? "open" : "closed"}`));
    } else {
      if (index.node.name[ref]) facts.push(element("span", "", index.node.name[ref]));
      if (index.node.sub[ref]) facts.push(element("span", "", index.node.sub[ref]));
      if (this.overlay) facts.push(element("span", "", `${this.overlay.label}: ${this.overlay.texts[ref] || "no value"}`));
    }
    if (this.selected >= 0 && !scene.isOpen(this.selected)) {
      facts.push(words(incoming.length, "input", "studio-graph-in"), words(outgoing.length, "output", "studio-graph-out"));
    }
    const group = index.around(ref)[0];
    if (group !== undefined) facts.push(element("span", "studio-hint", `in ${index.group.id[group]}`));
    this.said.replaceChildren(element("strong", "", index.title(ref)), ...facts);
  }

  // Show a node or group wherever it is; what is in closed groups is opened by Python first.
  goTo(ref) {
    const box = this.scene.boxOf.get(ref);
    if (box === undefined) {
      if (this.wanted !== ref) this.send({ kind: "reveal", id: this.index.idOf(ref), group: ref < 0 });
      this.wanted = this.wanted === ref ? null : ref;
      return;
    }
    this.wanted = null;
    this.select(box, { reveal: true });
  }

  showHits(hits) {
    this.hits = hits.length ? new Set(hits) : null;
    this.groupsWithHits = new Set(hits.flatMap((ref) => this.index.around(ref).map((g) => -1 - g)));
    this.draw();
  }

  toggle(i) {
    if (i < 0 || !this.scene.isGroup(i)) return;
    this.anchor = this.scene.ref[i];
    this.send({ kind: this.scene.isOpen(i) ? "close" : "open", id: this.index.idOf(this.scene.ref[i]) });
  }

  toggleList() {
    this.list.root.hidden = !this.list.root.hidden;
    this.listButton.setAttribute("aria-pressed", String(!this.list.root.hidden));
    this.resize();
    if (this.scene) this.list.show(this.scene, this.index, this.selected);
  }

  // What is under the mouse

  hover(i, edge, x, y) {
    if (i !== this.hovered || edge !== this.hoveredEdge) {
      [this.hovered, this.hoveredEdge] = [i, edge];
      this.fillTip(i, edge);
      this.stage.style.cursor = i >= 0 ? "pointer" : "";
      this.draw();
    }
    if (this.tip.hidden) return;
    const left = Math.min(x + 14, this.view.width - this.tip.offsetWidth - 6);
    const below = y + 18 + this.tip.offsetHeight < this.view.height;
    this.tip.style.transform = `translate(${Math.max(4, left)}px, ${below ? y + 18 : y - this.tip.offsetHeight - 8}px)`;
  }

  fillTip(i, edge) {
    this.tip.hidden = i < 0 && edge < 0;
    if (this.tip.hidden) return;
    const { scene, index } = this;
    const lines = [];
    if (i >= 0) {
      const ref = scene.ref[i];
      lines.push(element("strong", "", index.title(ref)));
      if (ref < 0) lines.push(`${index.group.size[-1 - ref].toLocaleString("en-US")} nodes · double-click to open`);
      else lines.push(index.node.name[ref], index.node.sub[ref], this.overlay ? `${this.overlay.label}: ${this.overlay.texts[ref] || "no value"}` : "");
    } else {
      lines.push(`${index.title(scene.ref[scene.source[edge]])} → ${index.title(scene.ref[scene.target[edge]])}`, scene.edgeLabel(edge));
    }
    this.tip.replaceChildren(...lines.filter(Boolean).map((line) => (line instanceof Node ? line : element("div", "", line))));
  }
}

async function render({ model, el }) {
  const view = new GraphView(model, el);
  await view.loadIndex();
  return () => view.dispose();
}

export default { render };
