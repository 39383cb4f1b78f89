// The columns of the layer table: what each shows, how it sorts, and how long it stays
// when the table gets narrow (the lowest `keep` goes first).
import { setText } from "./_grid.js";
import { UNKNOWN, element, formatCount, formatExact, formatFraction, formatValue, isKnown, svgElement } from "./_shared.js";

const SPARK_WIDTH = 76;
const SPARK_HEIGHT = 20;
const LOCK = "M4.5 5.5V4a2.5 2.5 0 0 1 5 0v1.5h.5a1 1 0 0 1 1 1V11a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V6.5a1 1 0 0 1 1-1zm1 0h3V4a1.5 1.5 0 0 0-3 0z";

const textColumn = (key, title, min, grow, keep) => ({
  key, title, min, grow, keep,
  value: (data, i) => data.rows[key][i],
  fill: (cell, data, i) => setText(cell, data.rows[key][i] || UNKNOWN, data.rows[key][i]),
});

const countColumn = (key, title, min, keep, unit, hint) => ({
  key, title, min, keep, hint, numeric: true,
  value: (data, i) => data.rows[key][i],
  fill: (cell, data, i) =>
    setText(cell, formatCount(data.rows[key][i]), formatExact(data.rows[key][i], unit)),
});

const statusColumn = {
  key: "status", title: "Status", min: 104, keep: 7,
  value: (data, i) => data.rows.statuses[data.rows.status[i]].label,
  make(cell) {
    cell.append(element("span", "studio-badge"));
  },
  fill(cell, data, i) {
    const { key, label } = data.rows.statuses[data.rows.status[i]];
    const badge = cell.firstChild;
    badge.className = "studio-badge";
    badge.dataset.status = key;
    badge.textContent = label;
    cell.title = data.rows.reasons[data.rows.reason[i]] || label;
  },
};

const sparsityColumn = {
  key: "sparsity", title: "Zeros now", min: 84, keep: 4, numeric: true,
  hint: "Fraction of the weights that are zero already",
  value: (data, i) => data.rows.sparsity[i],
  fill(cell, data, i) {
    const value = data.rows.sparsity[i];
    setText(cell, formatFraction(value), isKnown(value) ? `${value} of the weights are zero` : "not known");
  },
};

const sensitivityColumn = {
  key: "sensitivity", title: "Sensitivity", min: 126, keep: 8, numeric: true,
  hint: "Loss against sparsity, one scale for all rows; the number is the mean of the curve",
  value: (data, i) => data.scores[i],
  make(cell) {
    const svg = svgElement("svg", {
      width: SPARK_WIDTH, height: SPARK_HEIGHT, viewBox: `0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`, "aria-hidden": "true",
    });
    svg.append(svgElement("path", { class: "studio-spark-area" }), svgElement("path", { class: "studio-spark" }));
    cell.append(svg, element("span", "studio-spark-value"));
  },
  fill(cell, data, i) {
    const [svg, number] = cell.children;
    const [area, line] = svg.children;
    const points = sparkPoints(data, i);
    const known = points.length > 1;
    svg.style.visibility = known ? "visible" : "hidden";
    line.setAttribute("d", known ? `M${points.map((p) => p.join(" ")).join("L")}` : "");
    const base = SPARK_HEIGHT - 1;
    area.setAttribute("d", known
      ? `M${points[0][0]} ${base}L${points.map((p) => p.join(" ")).join("L")}L${points.at(-1)[0]} ${base}Z` : "");
    svg.style.color = `var(--studio-heat-${Math.max(0, data.heat[i])})`;
    const score = data.scores[i];
    setText(number, isKnown(score) ? score.toFixed(data.scoreDigits) : UNKNOWN);
    cell.title = isKnown(score) ? `mean ${formatValue(score)}: ${data.label}` : "not known";
  },
};

function sparkPoints(data, i) {
  const points = [];
  const m = data.numPoints;
  for (let k = 0; k < m; k += 1) {
    const y = data.curves[i * m + k];
    if (!isKnown(y)) continue;
    points.push([
      (1 + (k / (m - 1)) * (SPARK_WIDTH - 2)).toFixed(1),
      (SPARK_HEIGHT - 2 - Math.max(0, y / data.curveMax) * (SPARK_HEIGHT - 4)).toFixed(1),
    ]);
  }
  return points;
}

const plannedColumn = {
  key: "planned", title: "Planned sparsity", min: 134, keep: 8, numeric: true,
  hint: "Fraction of zeros the plan gives to the layer",
  value: (data, i) => (data.plan ? data.plan.planned[i] : null),
  make(cell) {
    const lock = svgElement("svg", { width: 14, height: 14, viewBox: "0 0 14 14", class: "studio-lock", role: "img" });
    lock.append(svgElement("path", { d: LOCK, "fill-rule": "evenodd", fill: "currentColor" }));
    const track = element("span", "studio-bar");
    track.append(element("span", "studio-bar-fill"));
    cell.append(lock, track, element("span", "studio-bar-value"));
  },
  fill(cell, data, i) {
    const value = this.value(data, i);
    const locked = Boolean(data.plan && data.plan.locked[i]);
    const [lock, track, number] = cell.children;
    lock.style.visibility = locked ? "visible" : "hidden";
    lock.setAttribute("aria-hidden", String(!locked));
    lock.setAttribute("aria-label", "locked");
    track.style.visibility = isKnown(value) ? "visible" : "hidden";
    track.firstChild.style.width = `${100 * (isKnown(value) ? value : 0)}%`;
    setText(number, formatFraction(value));
    cell.title = isKnown(value) ? `planned sparsity ${value.toFixed(4)}${locked ? ", locked" : ""}` : "not in the plan";
  },
};

export const COLUMNS = [
  textColumn("name", "Layer", 140, 2.4, 9),
  textColumn("op", "Op", 64, 0.4, 5),
  textColumn("shape", "Weight", 104, 0.6, 3),
  statusColumn,
  countColumn("params", "Params", 66, 6, "parameters", "Weights and biases"),
  countColumn("macs", "MACs", 70, 5.5, "multiply-accumulates", "Multiply-accumulates for one sample"),
  sparsityColumn,
  sensitivityColumn,
  plannedColumn,
];
