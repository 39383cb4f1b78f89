// Drawing on a canvas as sharp as the screen, in the colours of the page's theme.

// The context of a canvas, cleared, whose units are pixels of the page.
export function beginCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.globalAlpha = 1;
  return context;
}

// Colours by name. A variable may hold another variable's text, which a canvas cannot resolve.
export function themeColours(root, variables) {
  const found = {};
  for (const [name, variable] of Object.entries(variables)) {
    root.style.setProperty("outline-color", `var(${variable})`);
    found[name] = getComputedStyle(root).outlineColor;
  }
  root.style.removeProperty("outline-color");
  return found;
}
