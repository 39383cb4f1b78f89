// The styles of a panel, and names for the controls that ipywidgets leaves without one.
import { element } from "./_shared.js";

const CONTROLS = ".noUi-handle, input, select, textarea, [role=progressbar]";

const shown = (text) => (text ?? "").replace(/\u200b/g, "").trim();

// What a person sees as the control's name: its label, its tooltip, or what it asks for.
function nameOf(control) {
  const box = control.closest(".jupyter-widgets");
  const label = box?.querySelector(".widget-label, label");
  const title = control.title || control.closest("[title]")?.title;
  const name = shown(label?.textContent) || title || shown(control.placeholder);
  return name || (control.role === "progressbar" ? "Progress" : "");
}

function hasOwnLabel(control) {
  const label = control.labels?.[0];
  return Boolean(label && shown(label.textContent) && label.offsetParent);
}

function nameControls(panel) {
  for (const control of panel.querySelectorAll(CONTROLS)) {
    const isOurs = control.dataset.studioNamed !== undefined;
    if ((control.hasAttribute("aria-label") && !isOurs) || hasOwnLabel(control)) continue;
    const name = nameOf(control); // anew each time: the label may now say another layer
    if (!name || control.getAttribute("aria-label") === name) continue;
    control.dataset.studioNamed = "";
    control.setAttribute("aria-label", name);
  }
}

function render({ model, el }) {
  const style = element("style");
  style.textContent = model.get("styles");
  el.append(style);
  let waiting = 0;
  let observer = null;
  const name = () => {
    waiting = 0;
    if (el.parentElement) nameControls(el.parentElement);
  };
  const later = () => {
    waiting ||= requestAnimationFrame(name);
  };
  const watch = () => {
    if (!el.isConnected) {
      waiting = requestAnimationFrame(watch); // the panel is put into the page after its parts
      return;
    }
    observer = new MutationObserver(later);
    observer.observe(el.parentElement, { childList: true, characterData: true, subtree: true });
    name();
  };
  watch();
  return () => {
    cancelAnimationFrame(waiting);
    observer?.disconnect();
  };
}

export default { render };
