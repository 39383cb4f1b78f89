// Mouse, pen and fingers on the graph: pan, zoom, select, open, look.

const DRAG_AFTER = 4; // pixels; less is a click with an unsteady hand
const SIGN_REACH = 11;
const SIGN_ZOOM = 0.3; // below it the plus and minus signs are not painted

export function listenToPointers(graph) {
  const pointers = new GraphPointers(graph);
  const { stage } = graph;
  stage.addEventListener("pointerdown", (event) => pointers.down(event));
  stage.addEventListener("pointermove", (event) => pointers.move(event));
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => pointers.up(event));
  stage.addEventListener("pointerleave", () => graph.hover(-1, -1));
  stage.addEventListener("dblclick", (event) => pointers.double(event));
  stage.addEventListener("wheel", (event) => pointers.wheel(event), { passive: false });
}

class GraphPointers {
  constructor(graph) {
    this.graph = graph;
    this.pressed = new Map();
  }

  at(event) {
    const place = this.graph.stage.getBoundingClientRect();
    return [event.clientX - place.left, event.clientY - place.top];
  }

  down(event) {
    if (event.button > 0 || !this.graph.scene) return;
    const [x, y] = this.at(event);
    this.pressed.set(event.pointerId, { x, y, startX: x, startY: y, isDrag: false });
    this.graph.stage.setPointerCapture(event.pointerId);
    this.graph.stage.focus({ preventScroll: true });
    event.preventDefault();
  }

  move(event) {
    if (!this.graph.scene) return;
    const [x, y] = this.at(event);
    const pointer = this.pressed.get(event.pointerId);
    if (!pointer) {
      this.look(x, y);
      return;
    }
    const other = [...this.pressed.values()].find((p) => p !== pointer);
    if (Math.hypot(x - pointer.startX, y - pointer.startY) > DRAG_AFTER) pointer.isDrag = true;
    if (other) this.pinch(pointer, other, x, y);
    else if (pointer.isDrag) this.graph.view.pan(x - pointer.x, y - pointer.y);
    [pointer.x, pointer.y] = [x, y];
    if (pointer.isDrag) this.graph.hover(-1, -1);
  }

  pinch(pointer, other, x, y) {
    const before = Math.hypot(pointer.x - other.x, pointer.y - other.y);
    const after = Math.hypot(x - other.x, y - other.y);
    if (before > 8) this.graph.view.zoomBy(after / before, (x + other.x) / 2, (y + other.y) / 2);
    pointer.isDrag = other.isDrag = true;
  }

  up(event) {
    const pointer = this.pressed.get(event.pointerId);
    this.pressed.delete(event.pointerId);
    if (!pointer || pointer.isDrag || event.type === "pointercancel") return;
    const { graph } = this;
    const [gx, gy] = graph.view.toGraph(pointer.x, pointer.y);
    const i = graph.scene.boxAt(gx, gy);
    if (i >= 0 && this.isOnSign(i, gx, gy)) graph.toggle(i);
    else graph.select(i === graph.selected && graph.scene.isOpen(i) ? -1 : i);
  }

  isOnSign(i, gx, gy) {
    const { scene, view } = this.graph;
    if (!scene.isGroup(i) || view.zoom < SIGN_ZOOM) return false;
    const [x, y, , h] = scene.box(i);
    const middle = scene.isOpen(i) ? y + 14 : y + h / 2;
    return Math.abs(gx - (x + 15)) < SIGN_REACH && Math.abs(gy - middle) < SIGN_REACH;
  }

  double(event) {
    const { scene, view } = this.graph;
    const [gx, gy] = view.toGraph(...this.at(event));
    const i = scene ? scene.boxAt(gx, gy) : -1;
    if (i < 0 || this.isOnSign(i, gx, gy)) return; // the sign has answered the first click
    const isInside = scene.isOpen(i) && gy > scene.box(i)[1] + 26;
    if (!isInside) this.graph.toggle(i);
  }

  // With Ctrl (and so a pinch on a touch pad) zoom; otherwise move, but only once the graph has
  // the keyboard: a notebook must scroll past it.
  wheel(event) {
    const { stage, view } = this.graph;
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 300 : 1;
    if (event.ctrlKey || event.metaKey) {
      const step = Math.max(-80, Math.min(80, event.deltaY * unit));
      view.zoomBy(Math.exp(-step / 180), ...this.at(event));
    } else if (document.activeElement === stage) {
      const [dx, dy] = event.shiftKey ? [event.deltaY, event.deltaX] : [event.deltaX, event.deltaY];
      view.pan(-dx * unit, -dy * unit);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  look(x, y) {
    const { scene, view } = this.graph;
    const [gx, gy] = view.toGraph(x, y);
    const i = scene.boxAt(gx, gy);
    const isBox = i >= 0 && !scene.isOpen(i);
    const edge = isBox || view.zoom < 0.25 ? -1 : scene.edgeAt(gx, gy, 6 / view.zoom);
    this.graph.hover(isBox ? i : -1, edge, x, y);
  }
}
