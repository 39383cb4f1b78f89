// The layer table. Rows arrive once (compressed text), curves and the plan as buffers.
import { Grid } from "./_grid.js";
import { element, formatExact, heatSteps, readDocument, readFloats, readPlan } from "./_shared.js";
import { COLUMNS } from "./_table_columns.js";

class LayerTable extends Grid {
  constructor(model, el) {
    super(model, el, "");
    this.on("change:_curves change:_curve_label", () => this.readCurves());
    this.on("change:_plan", () => this.readPlan());
  }

  get selectedKey() {
    return "selected_layer";
  }

  get words() {
    return {
      one: "layer", many: "layers", grid: "Layers of the model",
      search: "Search layers by name, operator, node or status",
      none: "This model has no layers with weights.", select: "Select a layer to see it in words.",
    };
  }

  columnsOf() {
    return COLUMNS;
  }

  async load() {
    const asked = this.model.get("_rows");
    const rows = await readDocument(asked);
    if (asked !== this.model.get("_rows") || !rows) return; // newer rows are on their way
    const folded = rows.id.map((_, i) =>
      [rows.name[i], rows.op[i], rows.node[i], rows.statuses[rows.status[i]].label].join("\n").toLowerCase());
    // About 7 pixels a letter; very long names are cut rather than push all columns out.
    const nameWidth = Math.min(260, 20 + 7 * rows.name.reduce((max, name) => Math.max(max, name.length), 0));
    this.data = { rows, ids: rows.id, folded, nameWidth, indexOf: new Map(rows.id.map((id, i) => [id, i])) };
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

  markRow(row, i) {
    row.dataset.status = this.data.rows.statuses[this.data.rows.status[i]].key;
  }

  detailOf(i) {
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
    return [line, element("div", "studio-hint", facts)];
  }
}

async function render({ model, el }) {
  const table = new LayerTable(model, el);
  await table.load();
  return () => table.dispose();
}

export default { render };
