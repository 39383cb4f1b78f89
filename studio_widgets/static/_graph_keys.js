// The graph by keyboard alone.

const ARROWS = { ArrowDown: "down", ArrowUp: "up", ArrowLeft: "left", ArrowRight: "right" };
const PANS = { down: [0, -80], up: [0, 80], left: [80, 0], right: [-80, 0] };

export const KEYS_IN_WORDS =
  "Arrow keys follow the edges, Enter opens or closes a group, Backspace goes to the group around, " +
  "slash searches, n goes to the next hit, plus and minus zoom, 0 fits.";

export function listenToKeys(graph) {
  graph.root.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (event.key === "/" && !isTyping) graph.search.focus();
    else if (event.target !== graph.stage || !graph.scene || !onStageKey(graph, event)) return;
    event.preventDefault();
    event.stopPropagation();
  });
}

function onStageKey(graph, event) {
  const { key } = event;
  if (key in ARROWS && event.shiftKey) graph.view.pan(...PANS[ARROWS[key]]);
  else if (key in ARROWS) walk(graph, ARROWS[key]);
  else if (key === "Enter" || key === " ") graph.toggle(graph.selected);
  else if (key === "Backspace") goToGroupAround(graph);
  else if (key === "Home") graph.select(firstBox(graph.scene), { reveal: true });
  else if (key === "+" || key === "=") graph.view.zoomBy(1.25);
  else if (key === "-") graph.view.zoomBy(1 / 1.25);
  else if (key === "0") graph.fit();
  else if (key === "n" || key === "N") graph.search.step(key === "n" ? 1 : -1);
  else if (key === "Escape") graph.select(-1);
  else return false;
  return true;
}

function firstBox(scene) {
  let first = scene.numBoxes ? 0 : -1;
  while (first >= 0 && first < scene.numBoxes - 1 && scene.isOpen(first)) first += 1;
  return first;
}

function walk(graph, direction) {
  const { scene, selected } = graph;
  if (selected < 0) {
    graph.select(firstBox(scene), { reveal: true });
    return;
  }
  // An open group has no edges of its own; going down enters it.
  const inside = scene.isOpen(selected) && direction === "down" ? scene.parent.indexOf(selected) : -1;
  const next = inside >= 0 ? inside : scene.neighbour(selected, direction);
  if (next >= 0) graph.select(next, { reveal: true });
}

function goToGroupAround(graph) {
  const parent = graph.selected >= 0 ? graph.scene.parent[graph.selected] : -1;
  if (parent >= 0) graph.select(parent, { reveal: true });
}
