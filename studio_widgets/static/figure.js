// A Plotly figure in the colours of the page's theme, with its summary in words above it.
// Plotly itself (5 MB) is no part of this text: the page loads it once, from Studio's server
// extension, or has it sent by the kernel where no such server answers.
import { element, oncePerFrame, onThemeChange, studioRoot, whenInPage } from "./_shared.js";

const KERNEL_MS = 120000; // a kernel answers when the cell that it runs has ended
const THEMED = new Set([
  "_widget_data", "_widget_layout",
  "_py2js_addTraces", "_py2js_restyle", "_py2js_relayout", "_py2js_update",
]);
const TYPED = {
  int8: Int8Array, int16: Int16Array, int32: Int32Array, uint8: Uint8Array,
  uint16: Uint16Array, uint32: Uint32Array, float32: Float32Array, float64: Float64Array,
};

// ---- Plotly, once a page ----

function plotlyOf(model) {
  const loaded = (globalThis[Symbol.for("studio.plotly")] ??= new Map());
  const version = model.get("_bundle");
  if (!loaded.has(version)) {
    const loading = load(model, version);
    loaded.set(version, loading);
    loading.catch(() => loaded.delete(version)); // the next figure tries again
  }
  return loaded.get(version);
}

async function load(model, version) {
  const address = bundleAddress(version);
  let bundle = null;
  if (address) {
    try {
      bundle = await import(address);
    } catch {
      // No Studio in this server, or another Plotly: the kernel has it.
    }
  }
  bundle ??= await fromKernel(model);
  // Kept at once: another Plotly of the page may take the global name.
  return { bundle, lib: globalThis.Plotly };
}

function bundleAddress(version) {
  let config = {};
  try {
    config = JSON.parse(document.getElementById("jupyter-config-data")?.textContent || "{}");
  } catch {
    return null;
  }
  const base = config.baseUrl ?? document.body.dataset.baseUrl;
  // Voila's own server has no Studio in it.
  if (!base || String(config.appUrl ?? "").startsWith("voila")) return null;
  const path = `studio/plotly/${encodeURIComponent(version)}/widgetbundle.js`;
  return new URL(path, new URL(base.replace(/\/?$/, "/"), window.location.href)).href;
}

function fromKernel(model) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("The kernel did not answer.")), KERNEL_MS);
    const take = async (content, buffers) => {
      if (content?.kind !== "bundle" || !buffers?.length) return;
      clearTimeout(late);
      model.off("msg:custom", take);
      const packed = new Blob([buffers[0]]).stream();
      const text = await new Response(packed.pipeThrough(new DecompressionStream("deflate"))).blob();
      const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
      import(url).then(resolve, reject).finally(() => URL.revokeObjectURL(url));
    };
    model.on("msg:custom", take);
    model.send({ kind: "bundle" });
  });
}

// ---- The wire, as plotly.py's FigureWidget writes and reads it ----

function decoded(value) {
  if (Array.isArray(value)) return value.map(decoded);
  if (value === "_undefined_") return undefined;
  if (!isPlain(value)) return value;
  const bytes = value.value ?? value.buffer;
  if (TYPED[value.dtype] && value.shape && bytes) {
    const view = new Uint8Array(bytes.buffer ?? bytes, bytes.byteOffset ?? 0, bytes.byteLength);
    return new TYPED[value.dtype](view.slice().buffer);
  }
  return mapped(value, decoded);
}

function encoded(value) {
  if (value === undefined) return "_undefined_";
  if (ArrayBuffer.isView(value)) return Array.from(value);
  if (Array.isArray(value)) return value.map(encoded);
  return isPlain(value) ? mapped(value, encoded) : value;
}

function isPlain(value) {
  return value !== null && typeof value === "object" && !ArrayBuffer.isView(value)
    && !(value instanceof ArrayBuffer);
}

function mapped(object, change) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}

// ---- The theme ----

// Python paints with the light theme's colours; each stands for a variable of the style sheet.
function painter(root, colours) {
  const probe = root.appendChild(element("span"));
  const painted = new Map();
  for (const [colour, variable] of Object.entries(colours.tokens)) {
    probe.style.color = `var(${variable})`;
    painted.set(colour, getComputedStyle(probe).color);
  }
  probe.remove();
  painted.set(colours.ground, groundBehind(root));
  const family = getComputedStyle(root).fontFamily;
  const paint = (value) => {
    if (typeof value === "string") return painted.get(value) ?? value;
    if (Array.isArray(value)) return value.map(paint);
    return isPlain(value) ? mapped(value, paint) : value;
  };
  return { paint, family };
}

// A chart has the colour of what it stands on: a cell, a tab, a panel.
function groundBehind(node) {
  for (let at = node; at; at = at.parentElement) {
    const { backgroundColor } = getComputedStyle(at);
    if (backgroundColor && !/^(transparent|rgba\(.*, 0\))$/.test(backgroundColor)) {
      return backgroundColor;
    }
  }
  return "rgba(0, 0, 0, 0)";
}

// What plotly's own view asks of its model, in the theme's colours.
function themedModel(model, bundle, look, config) {
  const themed = new bundle.FigureModel(model, {});
  themed.get = (name) => {
    if (name === "_config") return config;
    const value = decoded(model.get(name));
    if (!THEMED.has(name)) return value;
    const painted = look.now.paint(value);
    if (name !== "_widget_layout") return painted;
    return { ...painted, font: { ...painted.font, family: look.now.family } };
  };
  themed.set = (name, value) => model.set(name, encoded(value));
  return themed;
}

// ---- The view ----

const SVG_BUTTON = {
  name: "svg",
  title: "Save the chart as SVG",
  icon: { width: 24, height: 24, path: "M5 20h14v-2H5v2zM19 9h-4V3H9v6H5l7 7 7-7z" },
};

function configOf(model, lib) {
  const filename = (model.get("label") || "chart").replace(/[^\p{L}\p{N}]+/gu, "_").slice(0, 60);
  const save = (plot) => lib.downloadImage(plot, { format: "svg", filename });
  return {
    displaylogo: false,
    showTips: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
    modeBarButtonsToAdd: [{ ...SVG_BUTTON, click: save }],
    toImageButtonOptions: { format: "png", scale: 2, filename },
    ...model.get("_config"),
  };
}

function makeParts(el) {
  const root = studioRoot(el, "studio-figure");
  const title = root.appendChild(element("div", "studio-figure-title"));
  const words = root.appendChild(element("div", "studio-figure-words"));
  const plot = root.appendChild(element("div", "studio-figure-plot"));
  root.setAttribute("role", "group");
  root.setAttribute("aria-roledescription", "chart");
  words.id = `studio-figure-${crypto.randomUUID?.() ?? Math.random()}`;
  root.setAttribute("aria-describedby", words.id);
  // Texts of an SVG in the order of drawing: the words above say what it shows.
  plot.setAttribute("aria-hidden", "true");
  return { root, title, words, plot };
}

function sayWords(model, { root, title, words }) {
  title.textContent = model.get("label");
  title.hidden = !model.get("label");
  words.textContent = model.get("summary");
  root.setAttribute("aria-label", model.get("label") || "Chart");
}

// Arrow keys go from point to point, where Python knows an order of them.
function listenToKeys(model, root) {
  const offer = () => {
    root.tabIndex = model.get("_has_steps") ? 0 : -1;
  };
  model.on("change:_has_steps", offer);
  offer();
  root.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!by || !model.get("_has_steps") || event.target !== root) return;
    event.preventDefault();
    event.stopPropagation();
    model.send({ kind: "step", by });
  });
}

function drawPlot(model, parts, { bundle, lib }) {
  const { root, plot } = parts;
  const look = { now: painter(root, model.get("_colours")) };
  const config = configOf(model, lib);
  const themed = themedModel(model, bundle, look, config);
  const view = new bundle.FigureView(themed, plot);
  // Plotly's own answers hold every default of every trace; that an edit is done is enough.
  const done = (name, content) => {
    model.set(name, content);
    model.save_changes();
  };
  view._sendTraceDeltas = (id) =>
    done("_js2py_traceDeltas", { trace_deltas: [], trace_edit_id: id });
  view._sendLayoutDelta = (id) =>
    done("_js2py_layoutDelta", { layout_delta: {}, layout_edit_id: id });
  view.perform_render();
  // A click on a tile chooses it; only groups are opened by it.
  plot.on("plotly_treemapclick", (event) => {
    const [{ data, pointNumber }] = event.points;
    const isGroup = data.parents.includes(data.ids?.[pointNumber] ?? data.labels[pointNumber]);
    if (!isGroup) view.handle_plotly_click(event);
    return isGroup; // false: Plotly does nothing more
  });
  const redraw = oncePerFrame(() => {
    if (root.isConnected) {
      lib.react(plot, themed.get("_widget_data"), themed.get("_widget_layout"), config);
    }
  });
  model.on("change:_widget_data", redraw);
  model.on("change:_widget_layout", redraw);
  const stopTheme = onThemeChange(() => {
    look.now = painter(root, model.get("_colours"));
    redraw();
  });
  const resize = oncePerFrame(() => {
    if (plot.offsetWidth > 0 && plot._fullLayout) lib.Plots.resize(plot).catch(() => undefined);
  });
  const watcher = new ResizeObserver(resize);
  watcher.observe(plot);
  return () => {
    stopTheme();
    watcher.disconnect();
    lib.purge(plot);
  };
}

function editsOf(model) {
  return `${model.get("_last_trace_edit_id")} ${model.get("_last_layout_edit_id")}`;
}

export default {
  initialize({ model }) {
    const before = editsOf(model);
    const follow = ({ bundle }) => {
      // Keeps the model's data up to date for views that are drawn later.
      new bundle.FigureModel(model, {}).initialize();
      if (editsOf(model) !== before) model.send({ kind: "refresh" });
    };
    plotlyOf(model).then(follow, () => undefined);
  },
  render({ model, el }) {
    const parts = makeParts(el);
    const say = () => sayWords(model, parts);
    model.on("change:label", say);
    model.on("change:summary", say);
    say();
    listenToKeys(model, parts.root);
    const wait = parts.plot.appendChild(element("div", "studio-figure-wait", "Loading the chart …"));
    wait.style.height = `${model.get("_widget_layout")?.height || 360}px`;
    let stop = () => undefined;
    let isGone = false;
    // The theme's colours are those of the place in which the chart stands.
    Promise.all([plotlyOf(model), whenInPage(el, () => isGone)]).then(
      ([plotly]) => {
        wait.remove();
        if (!isGone) stop = drawPlot(model, parts, plotly);
      },
      () => {
        wait.textContent =
          "The chart cannot be drawn: Plotly's script came neither from Studio's server "
          + "extension nor from the kernel. Run the cell again.";
      },
    );
    return () => {
      isGone = true;
      stop();
    };
  },
};
