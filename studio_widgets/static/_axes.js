// Axes of a chart on a canvas: round tick values, and where a value lies in pixels.
import { formatValue } from "./_shared.js";

const MARGIN = { left: 52, right: 14, top: 10, bottom: 38 };

function linearTicks(low, high, wanted) {
  const raw = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((f) => f * power >= raw * 0.999);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) ticks.push(k * step);
  return ticks;
}

function logTicks(low, high) {
  const ticks = [];
  const factors = high / low < 200 ? [1, 2, 5] : [1];
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e += 1) {
    for (const f of factors) {
      const tick = f * 10 ** e;
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
    }
  }
  return ticks;
}

// Scales for the values of `data` and their errors, in a plot of the given size. On a logarithmic
// axis a value of 0 or less has no place: `y` answers NaN and the curve has a gap there.
export function makeAxes({ values, errors }, width, height, log) {
  let low = Infinity;
  let high = -Infinity;
  values.forEach((v, k) => {
    if (Number.isNaN(v) || (log && v <= 0)) return;
    const top = v + ((errors && errors[k]) || 0);
    if (v < low) low = v;
    if (top > high) high = top;
  });
  if (low > high) [low, high] = log ? [0.1, 1] : [0, 1];
  if (log) low = Math.max(low, high * 1e-6);
  else low = Math.min(0, low);
  if (high <= low) high = log ? low * 10 : low + 1;
  const plot = {
    left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom,
  };
  const scale = log ? Math.log10 : (v) => v;
  const span = scale(high) - scale(low);
  return {
    plot,
    xTicks: [0, 0.2, 0.4, 0.6, 0.8, 1],
    yTicks: log ? logTicks(low, high) : linearTicks(low, high, Math.max(3, (plot.bottom - plot.top) / 40)),
    x: (sparsity) => plot.left + sparsity * (plot.right - plot.left),
    y: (v) => (log && v <= 0 ? NaN : plot.bottom - ((scale(v) - scale(low)) / span) * (plot.bottom - plot.top)),
    sparsity: (x) => (x - plot.left) / (plot.right - plot.left),
  };
}

export function drawAxes(context, axes, colours, font) {
  const { plot } = axes;
  context.font = `11px ${font}`;
  context.lineWidth = 1;
  context.strokeStyle = colours.line;
  context.fillStyle = colours.ink2;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const tick of axes.yTicks) {
    const y = Math.round(axes.y(tick)) + 0.5;
    context.globalAlpha = 0.6;
    context.beginPath();
    context.moveTo(plot.left, y);
    context.lineTo(plot.right, y);
    context.stroke();
    context.globalAlpha = 1;
    context.fillText(formatValue(Number(tick.toPrecision(6))), plot.left - 8, y);
  }
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const tick of axes.xTicks) {
    const x = Math.round(axes.x(tick)) + 0.5;
    context.beginPath();
    context.moveTo(x, plot.bottom);
    context.lineTo(x, plot.bottom + 4);
    context.stroke();
    context.fillText(tick.toFixed(1), x, plot.bottom + 7);
  }
  context.fillText("sparsity of the layer", (plot.left + plot.right) / 2, plot.bottom + 22);
}
