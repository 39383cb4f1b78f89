// The comparison table: two sides of every row, and what lies between them. Texts arrive once
// (compressed), the numbers to sort by and to draw bars from as one buffer.
import { Grid, setText } from "./_grid.js";
import { UNKNOWN, element, isKnown, readDocument, readFloats } from "./_shared.js";

const MARKS = [
  { key: "same", label: "", sign: "" },
  { key: "changed", label: "changed", sign: "≠" },
  { key: "only_left", label: "only in A", sign: "A" },
  { key: "only_right", label: "only in B", sign: "B" },
];
const SIDES = ["left", "right", "difference"];

const textColumn = (key, title, min, grow, keep, of) => ({
  key, title, min, grow, keep,
  value: of,
  fill: (cell, data, i) => setText(cell, of(data, i) || "", of(data, i)),
});

// The name behind a sign for its mark, which stays when the column of marks has no room.
const nameColumn = (title) => ({
  key: "name", title, min: 150, grow: 2, keep: 9,
  value: (data, i) => data.names[i],
  make: (cell) => cell.append(element("span", "studio-sign"), element("span")),
  fill(cell, data, i) {
    const { key, label, sign } = MARKS[data.marks[i]];
    const [mark, name] = cell.children;
    mark.hidden = !data.hasMarks;
    mark.dataset.mark = key;
    mark.textContent = sign;
    mark.title = label;
    setText(name, data.names[i]);
    cell.title = label ? `${data.names[i]}, ${label}` : data.names[i];
  },
});

// One side of a quantity.
const sideColumn = (side, quantity, letter) => ({
  key: side, title: `${quantity.title} ${letter}`, min: quantity.width, keep: 8, numeric: true,
  hint: quantity.hint,
  value: (data, i) => quantity[side][i],
  fill: (cell, data, i) => setText(cell, quantity.texts[side][i]),
});

// The difference as a bar from where 0 is, and as text with its sign: colour is not needed.
const differenceColumn = (quantity, key, title, keep, grow) => ({
  key, title, min: 150, keep, grow, numeric: true,
  hint: `${quantity.title}: B less A. ${directionInWords(quantity)}`,
  value: (data, i) => quantity.difference[i],
  make(cell) {
    cell.classList.add("studio-td-delta");
    const track = element("span", "studio-change-track");
    track.setAttribute("aria-hidden", "true");
    track.append(element("i"));
    cell.append(track, element("span", "studio-change-value"), element("span", "studio-change-relative"));
  },
  fill(cell, data, i) {
    const [track, number, relative] = cell.children;
    const value = quantity.difference[i];
    const known = isKnown(value);
    const span = quantity.high - quantity.low || 1;
    const zero = (-100 * quantity.low) / span;
    const length = known ? (100 * Math.abs(value)) / span : 0;
    track.style.setProperty("--studio-zero", `${zero}%`);
    track.style.visibility = known ? "visible" : "hidden";
    const bar = track.firstChild;
    bar.className = isGood(quantity, value) ? "studio-change-good" : "studio-change-bad";
    bar.style.width = `${length}%`;
    bar.style.left = `${value < 0 ? zero - length : zero}%`;
    setText(number, quantity.texts.difference[i]);
    relative.textContent = quantity.relative ? quantity.relative[i] : "";
    relative.hidden = !quantity.relative;
    cell.title = known ? `A ${quantity.texts.left[i]}, B ${quantity.texts.right[i]}` : "not known on both sides";
  },
});

// Blue is less, or better where one of them is; vermilion the other way.
function isGood(quantity, value) {
  return quantity.better === "higher" ? value > 0 : value < 0;
}

function directionInWords({ better }) {
  return better ? `Blue is better (${better}).` : "Blue is less.";
}

const markColumn = {
  key: "mark", title: "Mark", min: 92, keep: 6,
  value: (data, i) => MARKS[data.marks[i]].label,
  make: (cell) => cell.append(element("span", "studio-mark")),
  fill(cell, data, i) {
    const { key, label } = MARKS[data.marks[i]];
    cell.firstChild.dataset.mark = key;
    cell.firstChild.textContent = label;
  },
};

const matchColumn = {
  key: "match", title: "Match", min: 124, keep: 5, numeric: true,
  hint: "How it was found on the other side where not by name, and how certain that is",
  value: (data, i) => data.certainty[i],
  fill: (cell, data, i) => setText(cell, matchInWords(data, i)),
};

function matchInWords(data, i) {
  return isKnown(data.certainty[i]) ? `${data.hows[data.how[i]]} ${Math.round(100 * data.certainty[i])} %` : "";
}

class ComparisonTable extends Grid {
  constructor(model, el) {
    super(model, el, "studio-comparison");
    this.addControls();
    this.on("change:quantity", () => this.choose());
    this.on("change:only_changed", () => this.arrange());
  }

  get selectedKey() {
    return "selected";
  }

  get words() {
    const { one, many } = this.data || { one: "row", many: "rows" };
    return {
      one, many, grid: "Both sides compared", search: "Search by name, operator, mark or change",
      none: "There is nothing to compare.", hidden: "Nothing differs.",
      select: "Select a row to see it in words.",
    };
  }

  addControls() {
    this.chooser = element("select", "studio-quantity");
    this.chooser.setAttribute("aria-label", "Compare by");
    this.chooser.addEventListener("change", () => this.save({ quantity: this.chooser.value }));
    const label = element("label", "studio-only-changed");
    this.only = element("input");
    this.only.type = "checkbox";
    this.only.addEventListener("change", () => this.save({ only_changed: this.only.checked }));
    label.append(this.only, "only what differs");
    this.search.after(this.chooser, label);
  }

  async load() {
    const asked = this.model.get("_rows");
    const found = await readDocument(asked);
    if (asked !== this.model.get("_rows") || !found) return; // newer rows are on their way
    const n = found.ids.length;
    const numbers = readFloats(this.model.get("_values"));
    found.quantities.forEach((quantity, q) => {
      SIDES.forEach((side, s) => (quantity[side] = numbers.subarray((3 * q + s) * n, (3 * q + s + 1) * n)));
      quantity.low = quantity.difference.reduce((least, v) => (v < least ? v : least), 0);
      quantity.high = quantity.difference.reduce((most, v) => (v > most ? v : most), 0);
      const longest = Math.max(quantity.title.length + 2, ...["left", "right"].map((side) =>
        quantity.texts[side].reduce((most, text) => Math.max(most, text.length), 0)));
      quantity.width = Math.max(72, 18 + 7 * longest);
    });
    const folded = found.ids.map((_, i) =>
      [found.names[i], found.notes[i], found.changes[i], MARKS[found.marks[i]].label].join("\n").toLowerCase());
    const nameWidth = Math.min(260, 20 + 7 * found.names.reduce((max, name) => Math.max(max, name.length), 0));
    // One and the same mark on every row says nothing.
    const hasMarks = found.marks.some((mark) => mark !== found.marks[0]);
    this.data = { ...found, folded, nameWidth, hasMarks, indexOf: new Map(found.ids.map((id, i) => [id, i])) };
    this.search.placeholder = `Search ${found.many}  ( / )`;
    const chosen = found.quantities.map(({ key, title }) => {
      const option = element("option", "", title);
      option.value = key;
      return option;
    });
    this.chooser.replaceChildren(...chosen);
    this.chooser.hidden = chosen.length < 2;
    this.choose();
    this.reveal();
  }

  // The quantity that is shown in full; of the others only the difference.
  choose() {
    if (!this.data) return;
    const { quantities } = this.data;
    const main = quantities.find((q) => q.key === this.model.get("quantity")) || quantities[0];
    this.chooser.value = main ? main.key : "";
    const has = (list) => list.some(Boolean);
    this.offered = [
      nameColumn(this.data.one[0].toUpperCase() + this.data.one.slice(1)),
      ...(has(this.data.notes) ? [textColumn("note", "Operator", 84, 0.6, 4, (data, i) => data.notes[i])] : []),
      ...(main ? [sideColumn("left", main, "A"), sideColumn("right", main, "B"), differenceColumn(main, "difference", "B less A", 8, 1.6)] : []),
      ...quantities.filter((q) => q !== main && (q.low < 0 || q.high > 0)).map((q) => differenceColumn(q, `difference:${q.key}`, `${q.title}, B less A`, 3, 1)),
      ...(has(this.data.changes) ? [textColumn("change", "What changed", 130, 1, main ? 2 : 8, (data, i) => data.changes[i])] : []),
      ...(this.data.hasMarks ? [markColumn] : []),
      ...(this.data.certainty.some(isKnown) ? [matchColumn] : []),
    ];
    this.columns = []; // titles may differ though the keys are the same
    this.arrange();
    this.showDetail();
  }

  columnsOf() {
    return this.offered || [];
  }

  isShown(i) {
    return !this.model.get("only_changed") || this.data.marks[i] !== 0 ||
      this.data.quantities.some((q) => isKnown(q.difference[i]) && q.difference[i] !== 0);
  }

  arrange() {
    this.only.checked = this.model.get("only_changed");
    super.arrange();
  }

  resize() {
    if (this.offered) super.resize();
  }

  markRow(row, i) {
    row.dataset.mark = MARKS[this.data.marks[i]].key;
  }

  detailOf(i) {
    const { data } = this;
    const line = element("div", "studio-detail-line");
    const mark = element("span", "studio-mark", MARKS[data.marks[i]].label);
    mark.dataset.mark = MARKS[data.marks[i]].key;
    line.append(element("strong", "", data.names[i]), mark, element("span", "", data.notes[i]));
    const facts = data.quantities.map(({ title, texts, relative }) => {
      const change = texts.difference[i] === UNKNOWN ? "" : ` (${texts.difference[i]}${relative && relative[i] ? `, ${relative[i]}` : ""})`;
      return `${title}: ${texts.left[i]} → ${texts.right[i]}${change}`;
    });
    if (data.changes[i]) facts.push(data.changes[i]);
    if (matchInWords(data, i)) facts.push(`matched by ${matchInWords(data, i)}`);
    return [line, element("div", "studio-hint", facts.join(" · "))];
  }
}

async function render({ model, el }) {
  const table = new ComparisonTable(model, el);
  await table.load();
  return () => table.dispose();
}

export default { render };
