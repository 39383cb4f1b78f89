// Findings as a list: severity in word, shape and colour, then hazard, evidence and remedy.
// What a finding is about is a button, so that Tab reaches it and Enter follows it.
import { element, studioRoot, svgElement } from "./_shared.js";

const WORDS = { error: ["Error", "errors"], warning: ["Warning", "warnings"], note: ["Note", "notes"] };
const SHAPES = {
  error: "M5 1h6l4 4v6l-4 4H5l-4-4V5zM5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6",
  warning: "M8 1.5 15 14.5H1zM8 6v4.2M8 12v.6",
  note: "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1zM8 7v4.6M8 4.3v.6",
};
const CHANGES = "change:_shown change:wrong";

function icon(severity) {
  const svg = svgElement("svg", { viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" });
  svg.append(svgElement("path", { d: SHAPES[severity] }));
  return svg;
}

function kindOf(severity) {
  return Object.hasOwn(WORDS, severity) ? severity : "note";
}

class FindingsPanel {
  constructor(model, el) {
    this.model = model;
    this.root = studioRoot(el, "studio-findings");
    this.head = element("div", "studio-findings-head");
    this.head.setAttribute("role", "status");
    this.wrong = element("div", "studio-findings-wrong");
    this.wrong.setAttribute("role", "alert");
    this.list = element("ul", "studio-findings-list");
    this.list.setAttribute("role", "list"); // a list without bullets is none in Safari
    this.list.setAttribute("aria-label", "Findings");
    this.more = element("p", "studio-findings-more");
    this.root.append(this.wrong, this.head, this.list, this.more);
    this.list.addEventListener("click", (event) => this.follow(event));
    this.handler = () => this.draw();
    model.on(CHANGES, this.handler);
    this.draw();
  }

  dispose() {
    this.model.off(CHANGES, this.handler);
  }

  follow(event) {
    const button = event.target.closest("button[data-index]");
    if (button) this.model.send({ kind: "select", index: Number(button.dataset.index) });
  }

  draw() {
    const wrong = this.model.get("wrong");
    this.wrong.textContent = wrong;
    this.wrong.hidden = !wrong;
    const shown = this.model.get("_shown");
    if (shown === this.drawn || !shown.rows) return;
    this.drawn = shown;
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.index : null;
    this.drawHead(shown);
    this.list.replaceChildren(...shown.rows.map((row, index) => this.item(row, index)));
    this.list.hidden = !shown.rows.length;
    // Where the list scrolls, something in it must take the keyboard.
    this.list.tabIndex = shown.rows.some((row) => row.where) ? -1 : 0;
    this.more.textContent = shown.more ? `and ${shown.more.toLocaleString("en-US")} more` : "";
    this.more.hidden = !shown.more;
    if (focused !== null) this.list.querySelector(`button[data-index="${focused}"]`)?.focus();
  }

  drawHead(shown) {
    const parts = shown.counts.map(([severity, number]) => {
      const kind = kindOf(severity);
      const part = element("span", `studio-findings-count studio-severity-${kind}`);
      const word = number === 1 ? WORDS[kind][0].toLowerCase() : WORDS[kind][1];
      part.append(icon(kind), element("span", "", `${number.toLocaleString("en-US")} ${word}`));
      return part;
    });
    if (!parts.length && shown.nothing) parts.push(element("span", "studio-findings-nothing", shown.nothing));
    this.head.replaceChildren(...parts);
  }

  item(row, index) {
    const kind = kindOf(row.severity);
    const item = element("li", `studio-findings-item studio-severity-${kind}`);
    const mark = element("span", "studio-findings-mark");
    mark.append(icon(kind), element("span", "", WORDS[kind][0]));
    const words = element("div", "studio-findings-words");
    words.append(element("strong", "", row.hazard), element("p", "", row.evidence));
    words.append(element("p", "studio-findings-remedy", row.remedy));
    item.append(mark, words);
    if (row.where) item.append(this.target(row, index));
    return item;
  }

  target(row, index) {
    const button = element("button", "studio-findings-target");
    button.type = "button";
    button.dataset.index = String(index);
    button.title = `Show ${row.where}`;
    button.append(element("span", "studio-visually-hidden", "Show "), element("bdi", "", row.short));
    return button;
  }
}

function render({ model, el }) {
  const panel = new FindingsPanel(model, el);
  return () => panel.dispose();
}

export default { render };
