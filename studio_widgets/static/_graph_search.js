// The search box of the graph: by words or by regular expression, hit by hit.
import { element } from "./_shared.js";

const MOST_LETTERS = 500;

// A test for texts, or a sentence that says what is wrong with the expression.
export function searchTest(query, isExpression) {
  const words = query.slice(0, MOST_LETTERS);
  if (!words.trim()) return { test: null };
  if (!isExpression) {
    const folded = words.trim().toLowerCase();
    return { test: (text) => text.toLowerCase().includes(folded) };
  }
  try {
    const expression = new RegExp(words, "iu");
    // Each line by itself, so that ^ and $ mean the ends of a name.
    return { test: (text) => text.split("\n").some((line) => expression.test(line)) };
  } catch (error) {
    return { test: null, wrong: `Not a regular expression: ${error.message.split(": ").pop()}.` };
  }
}

export class GraphSearch {
  // `onHits` hears of the hits as a list, `onStep` of the one to show.
  constructor({ model, onHits, onStep, onLeave }) {
    Object.assign(this, { model, onHits, onStep, onLeave });
    this.index = null;
    this.hits = [];
    this.at = -1;
    this.build();
  }

  build() {
    this.root = element("div", "studio-graph-search");
    this.root.setAttribute("role", "search");
    this.input = element("input", "studio-search");
    this.input.type = "search";
    this.input.placeholder = "Search nodes  ( / )";
    this.input.setAttribute("aria-label", "Search nodes and groups by name");
    this.expression = element("button", "studio-graph-toggle", ".*");
    this.expression.title = "The search is a regular expression";
    this.back = element("button", "studio-graph-button", "‹");
    this.next = element("button", "studio-graph-button", "›");
    this.count = element("span", "studio-graph-count");
    this.count.setAttribute("role", "status");
    for (const [button, label] of [[this.back, "Previous hit"], [this.next, "Next hit"]]) {
      button.title = label;
      button.setAttribute("aria-label", label);
    }
    for (const button of [this.expression, this.back, this.next]) button.type = "button";
    this.root.append(this.input, this.expression, this.back, this.next, this.count);
    this.input.addEventListener("input", () => this.save({ search: this.input.value }));
    this.expression.addEventListener("click", () => this.save({ search_regex: !this.model.get("search_regex") }));
    this.back.addEventListener("click", () => this.step(-1));
    this.next.addEventListener("click", () => this.step(1));
    this.root.addEventListener("keydown", (event) => this.onKey(event));
  }

  save(values) {
    for (const [key, value] of Object.entries(values)) this.model.set(key, value);
    this.model.save_changes();
  }

  onKey(event) {
    if (event.target === this.input && event.key === "Enter") this.step(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") {
      if (this.input.value) this.save({ search: (this.input.value = "") });
      else this.onLeave();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  focus() {
    this.input.focus();
    this.input.select();
  }

  // Look again: after a letter, another switch, or another graph.
  look(index) {
    this.index = index || this.index;
    if (!this.index) return;
    const query = this.model.get("search");
    const isExpression = this.model.get("search_regex");
    if (document.activeElement !== this.input) this.input.value = query;
    this.expression.setAttribute("aria-pressed", String(isExpression));
    const { test, wrong } = searchTest(query, isExpression);
    this.hits = test ? this.index.find(test) : [];
    this.at = -1;
    this.wrong = wrong || "";
    this.say(Boolean(test));
    this.onHits(this.hits);
  }

  say(isAsked) {
    const n = this.hits.length;
    const number = n.toLocaleString("en-US");
    const found = this.at < 0 ? `${number} hit${n === 1 ? "" : "s"}` : `${this.at + 1} of ${number}`;
    this.count.textContent = this.wrong || (!isAsked ? "" : n ? found : "no hit");
    this.count.classList.toggle("studio-graph-wrong", Boolean(this.wrong));
    this.back.disabled = this.next.disabled = n === 0;
  }

  step(by) {
    const n = this.hits.length;
    if (!n) return;
    this.at = this.at < 0 ? (by > 0 ? 0 : n - 1) : (this.at + by + n) % n;
    this.say(true);
    this.onStep(this.hits[this.at]);
  }
}
