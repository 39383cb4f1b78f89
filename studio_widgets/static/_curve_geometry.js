// Where the curves of a chart lie in pixels: tracing them, and finding the one that is meant.
const REACH = 28; // pixels from a curve at which it is still meant

// `data` has n curves of m points (values, level(i, k)); unknown points are NaN in px, py.
export class CurveGeometry {
  constructor(data, axes) {
    const { n, m, values, level } = data;
    this.n = n;
    this.m = m;
    this.axes = axes;
    this.px = new Float32Array(n * m);
    this.py = new Float32Array(n * m);
    for (let i = 0; i < n; i += 1) {
      for (let k = 0; k < m; k += 1) {
        this.px[i * m + k] = axes.x(level(i, k));
        this.py[i * m + k] = axes.y(values[i * m + k]);
      }
    }
  }

  isKnown(at) {
    return !Number.isNaN(this.py[at]) && !Number.isNaN(this.px[at]);
  }

  // An unknown level between two known ones is bridged.
  trace(context, i) {
    context.beginPath();
    let pen = false;
    for (let at = i * this.m; at < (i + 1) * this.m; at += 1) {
      if (!this.isKnown(at)) continue;
      if (pen) context.lineTo(this.px[at], this.py[at]);
      else context.moveTo(this.px[at], this.py[at]);
      pen = true;
    }
  }

  // Areas within one error of curve i: one for each stretch of levels whose errors are known.
  bands(i, values, errors) {
    const found = [];
    let run = [];
    for (let at = i * this.m; at <= (i + 1) * this.m; at += 1) {
      const inside = at < (i + 1) * this.m;
      if (inside && !this.isKnown(at)) continue;
      if (inside && !Number.isNaN(errors[at])) run.push(at);
      else {
        if (run.length > 1) found.push(this.band(run, values, errors));
        run = [];
      }
    }
    return found;
  }

  band(run, values, errors) {
    const path = new Path2D();
    const floor = this.axes.plot.bottom; // where a logarithmic axis has no place for the lower end
    for (const at of run) path.lineTo(this.px[at], this.axes.y(values[at] + errors[at]));
    for (const at of [...run].reverse()) {
      const low = this.axes.y(values[at] - errors[at]);
      path.lineTo(this.px[at], Number.isNaN(low) ? floor : low);
    }
    path.closePath();
    return path;
  }

  // Height of the drawn line at a sparsity, NaN outside the known levels.
  heightAt(i, sparsity) {
    const x = this.axes.x(sparsity);
    let before = -1;
    for (let at = i * this.m; at < (i + 1) * this.m; at += 1) {
      if (!this.isKnown(at)) continue;
      if (this.px[at] >= x - 1e-3) {
        if (before < 0) return this.px[at] - x < 0.5 ? this.py[at] : NaN;
        const share = (x - this.px[before]) / (this.px[at] - this.px[before] || 1);
        return this.py[before] + share * (this.py[at] - this.py[before]);
      }
      before = at;
    }
    return NaN;
  }

  // The curve nearest to a place, and its known level nearest to it; null out of reach.
  nearest(x, y) {
    let best = REACH * REACH;
    let curve = -1;
    for (let i = 0; i < this.n; i += 1) {
      let before = -1;
      for (let at = i * this.m; at < (i + 1) * this.m; at += 1) {
        if (!this.isKnown(at)) continue;
        if (before >= 0 && this.px[at] >= x - REACH && this.px[before] <= x + REACH) {
          const away = this.distanceSquared(x, y, before, at);
          if (away < best) [best, curve] = [away, i];
        }
        before = at;
      }
    }
    return curve < 0 ? null : { curve, point: this.nearestPoint(curve, x) };
  }

  nearestPoint(curve, x) {
    const start = curve * this.m;
    let best = -1;
    for (let k = 0; k < this.m; k += 1) {
      if (!this.isKnown(start + k)) continue;
      if (best < 0 || Math.abs(this.px[start + k] - x) < Math.abs(this.px[start + best] - x)) best = k;
    }
    return best;
  }

  // Of a place from the segment between two points.
  distanceSquared(x, y, a, b) {
    const dx = this.px[b] - this.px[a];
    const dy = this.py[b] - this.py[a];
    const along = ((x - this.px[a]) * dx + (y - this.py[a]) * dy) / (dx * dx + dy * dy || 1);
    const t = Math.max(0, Math.min(1, along));
    return (x - this.px[a] - t * dx) ** 2 + (y - this.py[a] - t * dy) ** 2;
  }
}
