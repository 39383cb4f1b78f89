// Whole numbers side by side. Python knows the limits and the step: an arrow key asks it for
// the next number, and what is typed is shown as Python took it.
import { element, studioRoot } from "./_shared.js";

class NumberList {
  constructor(model, el) {
    this.model = model;
    this.root = studioRoot(el, "studio-numbers");
    this.root.setAttribute("role", "group");
    this.line = element("div", "studio-numbers-line");
    this.wrong = element("div", "studio-numbers-wrong");
    this.wrong.setAttribute("role", "alert");
    this.wrong.id = `studio-numbers-${Math.random().toString(36).slice(2)}`;
    this.root.append(this.line, this.wrong);
    this.inputs = [];
    this.typing = -1; // the input in which something stands that was not sent yet
    this.handler = () => this.draw();
    model.on("change:_answered change:_numbers change:_limits change:wrong change:label", this.handler);
    this.draw();
  }

  dispose() {
    this.model.off("change:_answered change:_numbers change:_limits change:wrong change:label", this.handler);
  }

  draw() {
    const numbers = this.model.get("_numbers");
    const between = this.model.get("_between");
    const label = this.model.get("label");
    this.root.setAttribute("aria-label", label);
    if (this.inputs.length !== numbers.length) {
      this.inputs = numbers.map((_, i) => this.makeInput(i));
      const parts = this.inputs.flatMap((input, i) => (i && between ? [element("span", "studio-numbers-between", between), input.root] : [input.root]));
      this.line.replaceChildren(...parts);
    }
    const wrong = this.model.get("wrong");
    this.inputs.forEach(({ input, less, more }, i) => {
      const [low, high] = this.model.get("_limits")[i];
      if (i !== this.typing) input.value = String(numbers[i]);
      input.setAttribute("aria-label", `${label}, number ${i + 1}, ${low} to ${high}`);
      input.title = `${low} to ${high}`;
      input.setAttribute("aria-valuemin", String(low));
      input.setAttribute("aria-valuemax", String(high));
      input.setAttribute("aria-valuenow", String(numbers[i]));
      input.setAttribute("aria-invalid", String(Boolean(wrong)));
      less.disabled = numbers[i] <= low;
      more.disabled = numbers[i] >= high;
    });
    this.wrong.textContent = wrong;
    this.wrong.hidden = !wrong;
  }

  makeInput(index) {
    const root = element("span", "studio-number");
    const input = element("input");
    input.type = "text";
    input.inputMode = "numeric";
    input.autocomplete = "off";
    input.setAttribute("role", "spinbutton");
    input.setAttribute("aria-describedby", this.wrong.id);
    const step = (direction) => this.model.send({ kind: "step", index, direction });
    const less = this.stepButton("−", "Less", () => step(-1));
    const more = this.stepButton("+", "More", () => step(1));
    input.addEventListener("input", () => (this.typing = index));
    input.addEventListener("change", () => {
      if (this.typing !== index) return; // Enter has sent it already
      this.typing = -1;
      this.model.send({ kind: "type", index, text: input.value });
    });
    input.addEventListener("focus", () => input.select());
    input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowUp") step(1);
      else if (event.key === "ArrowDown") step(-1);
      else if (event.key === "Escape") this.undo();
      else if (event.key === "Enter") input.dispatchEvent(new Event("change"));
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    root.append(less, input, more);
    return { root, input, less, more };
  }

  undo() {
    this.typing = -1;
    this.draw();
  }

  stepButton(words, label, onClick) {
    const button = element("button", "studio-number-step", words);
    button.type = "button";
    button.tabIndex = -1; // arrow keys do the same in the input
    button.setAttribute("aria-label", label);
    button.addEventListener("click", onClick);
    return button;
  }
}

function render({ model, el }) {
  const list = new NumberList(model, el);
  return () => list.dispose();
}

export default { render };
