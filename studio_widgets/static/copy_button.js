// A button that asks the kernel for code, shows it, and puts it on the clipboard.
import { element, studioRoot } from "./_shared.js";

const PATIENCE_MS = 10000;

async function toClipboard(text, code) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without permission, or on a page without https: the old way, through the selection.
    const range = document.createRange();
    range.selectNodeContents(code);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    return document.execCommand("copy");
  }
}

function render({ model, el }) {
  const root = studioRoot(el, "studio-copy");
  const button = element("button", "", model.get("label"));
  button.type = "button";
  const said = element("span", "studio-copy-said");
  said.setAttribute("role", "status");
  const code = element("pre");
  code.hidden = true;
  code.tabIndex = 0;
  root.append(button, said, code);
  let waiting = 0;
  button.addEventListener("click", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      said.textContent = "The kernel does not answer.";
    }, PATIENCE_MS);
    model.send({ kind: "copy" });
  });
  const onMessage = async (message) => {
    clearTimeout(waiting);
    if (message.kind === "failed") {
      said.textContent = message.text;
      return;
    }
    code.textContent = message.text;
    code.hidden = false;
    said.textContent = (await toClipboard(message.text, code)) ? "Copied" : "Select the code to copy it";
  };
  model.on("msg:custom", onMessage);
  return () => {
    clearTimeout(waiting);
    model.off("msg:custom", onMessage);
  };
}

export default { render };
