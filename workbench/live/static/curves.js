/* Canvases: panels of curves with their marks, bands and cursor. */

/** A canvas as sharp as the screen, and its context scaled to CSS pixels. */
function prepare(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  g.lineJoin = "round";
  return [g, width, height];
}

/** Ink and colours of the page's theme, read anew so that a changed theme is seen. */
function inkOf(root) {
  const style = getComputedStyle(root);
  const ink = style.color;
  const [r, g, b] = ink.match(/[\d.]+/g).map(Number);
  return { ink, paper: style.getPropertyValue("--paper"), dark: 0.299 * r + 0.587 * g + 0.114 * b > 128, font: style.fontFamily };
}

/** Colour and dashes of a branch; black would vanish on a dark page. */
function strokeOf(palette, i, theme) {
  const { colour, dash } = palette[i % palette.length];
  if (colour === "#000000") return { colour: theme.ink, dash };
  return { colour: theme.dark && colour === "#0072B2" ? "#4DA6DE" : colour, dash };
}

/** Walk along a curve, keeping per pixel column its first, least, greatest and last point. */
function trace(g, steps, values, rows, x, y) {
  let column = null, low = 0, high = 0, last = 0, begun = false;
  const flush = () => {
    if (low !== high) {
      g.lineTo(column, low);
      g.lineTo(column, high);
    }
    g.lineTo(column, last);
  };
  g.beginPath();
  for (let i = 0; i < rows; i++) {
    const py = y(values[i]);
    if (!Number.isFinite(py)) continue;
    const px = Math.round(x(steps[i]) * 2) / 2;
    if (px !== column) {
      if (begun) flush();
      if (begun) g.lineTo(px, py);
      else g.moveTo(px, py);
      begun = true;
      column = px;
      low = high = py;
    }
    low = Math.max(low, py);
    high = Math.min(high, py);
    last = py;
  }
  if (begun) flush();
  g.stroke();
}

function rangeOf(panel, branches) {
  let low = Infinity, high = -Infinity;
  const names = [panel.line, panel.dots, ...(panel.band || [])].filter(Boolean);
  for (const branch of branches)
    for (const name of names) {
      const values = branch.get(name);
      if (!values) continue;
      for (let i = 0; i < branch.rows; i++) {
        const v = values[i];
        if (!Number.isFinite(v) || (panel.log && v <= 0)) continue;
        if (v < low) low = v;
        if (v > high) high = v;
      }
    }
  if (low > high) return panel.log ? [0.1, 1] : [0, 1];
  if (panel.log) return high / low < 1.5 ? [low / 1.3, high * 1.3] : [low / (high / low) ** 0.06, high * (high / low) ** 0.06];
  const margin = 0.06 * (high - low) || 0.1 * Math.abs(high) || 0.5;
  return [low - margin, high + margin];
}

const MARGIN = { left: 46, right: 10, top: 22, bottom: 34 };

/** Draw one panel; returns the scale of its steps. */
function drawPanel(canvas, panel, store, palette, theme) {
  const [g, width, height] = prepare(canvas);
  const branches = store.shown();
  const left = MARGIN.left, right = width - MARGIN.right, top = MARGIN.top, bottom = height - MARGIN.bottom;
  const [first, final] = store.span();
  const [low, high] = rangeOf(panel, branches);
  const x = (step) => left + ((step - first) / (final - first)) * (right - left);
  const share = panel.log
    ? (v) => (v > 0 ? Math.log(v / low) / Math.log(high / low) : NaN)
    : (v) => (v - low) / (high - low);
  const y = (v) => bottom - share(v) * (bottom - top);

  g.font = `11px ${theme.font}`;
  g.fillStyle = theme.ink;
  g.strokeStyle = theme.ink;
  g.textBaseline = "middle";
  g.textAlign = "right";
  for (const tick of panel.log ? logTicks(low, high) : linearTicks(low, high, 4)) {
    g.globalAlpha = 0.13;
    g.lineWidth = 1;
    line(g, left, Math.round(y(tick)) + 0.5, right, Math.round(y(tick)) + 0.5);
    g.globalAlpha = 0.85;
    g.fillText(panel.log ? power(tick) : short(tick), left - 6, y(tick));
  }
  g.textAlign = "center";
  g.textBaseline = "top";
  for (const tick of linearTicks(first, final, Math.max(2, Math.floor((right - left) / 46)))) {
    g.globalAlpha = 0.85;
    line(g, Math.round(x(tick)) + 0.5, bottom, Math.round(x(tick)) + 0.5, bottom + 3);
    g.fillText(thousands(tick), x(tick), bottom + 5);
  }
  g.globalAlpha = 0.85;
  g.fillText("updates", (left + right) / 2, bottom + 19);
  g.globalAlpha = 0.6;
  line(g, left + 0.5, top, left + 0.5, bottom + 0.5);
  line(g, left, bottom + 0.5, right, bottom + 0.5);
  g.globalAlpha = 1;

  g.save();
  g.beginPath();
  g.rect(left, top - 8, right - left + 4, bottom - top + 9);
  g.clip();
  branches.forEach((branch, i) => {
    g.fillStyle = strokeOf(palette, i, theme).colour;
    if (panel.band && branch.rows) drawBand(g, branch, panel.band, x, y);
  });
  branches.forEach((branch, i) => {
    const { colour, dash } = strokeOf(palette, i, theme);
    g.strokeStyle = g.fillStyle = colour;
    drawMarks(g, branch, x, top, bottom);
    if (!branch.rows) return;
    const steps = branch.get("step");
    g.setLineDash(dash);
    g.lineWidth = 1.6;
    const values = branch.get(panel.line);
    if (values) trace(g, steps, values, branch.rows, x, y);
    g.setLineDash([]);
    if (panel.dots && branch.get(panel.dots)) drawDots(g, steps, branch.get(panel.dots), branch.rows, x, y, theme);
  });
  g.restore();
  if (store.cursor !== null) drawCursor(g, panel, branches, store.cursor, x, y, top, bottom, right, palette, theme);
  return { first, final, left, right };
}

function line(g, x0, y0, x1, y1) {
  g.beginPath();
  g.moveTo(x0, y0);
  g.lineTo(x1, y1);
  g.stroke();
}

function drawMarks(g, branch, x, top, bottom) {
  g.lineWidth = 1;
  let last = -9;
  for (const mark of branch.marks) {
    const px = x(mark.step);
    if (px - last < 1.5) continue;
    last = px;
    g.globalAlpha = 0.55;
    g.setLineDash([2, 3]);
    line(g, px, top, px, bottom);
    g.setLineDash([]);
    g.globalAlpha = 1;
    g.beginPath();
    g.moveTo(px - 4, top - 7);
    g.lineTo(px + 4, top - 7);
    g.lineTo(px, top);
    g.fill();
  }
}

function drawBand(g, branch, names, x, y) {
  const { rows } = branch, [steps, low, high] = ["step", ...names].map((name) => branch.get(name));
  if (!low || !high) return;
  const seen = [];
  for (let i = 0; i < rows; i++) if (Number.isFinite(low[i]) && Number.isFinite(high[i])) seen.push(i);
  const stride = Math.max(1, Math.floor(seen.length / 1500)), drawn = seen.filter((_, k) => k % stride === 0);
  g.globalAlpha = 0.14;
  g.beginPath();
  for (const i of drawn) g.lineTo(x(steps[i]), y(high[i]));
  for (const i of drawn.reverse()) g.lineTo(x(steps[i]), y(low[i]));
  g.fill();
  g.globalAlpha = 1;
}

function drawDots(g, steps, values, rows, x, y, theme) {
  let last = -20;
  g.lineWidth = 1.2;
  const colour = g.fillStyle;
  g.fillStyle = theme.paper;
  for (let i = 0; i < rows; i++) {
    const py = y(values[i]);
    if (!Number.isFinite(py) || x(steps[i]) - last < 18) continue;
    last = x(steps[i]);
    g.beginPath();
    g.arc(last, py, 2.6, 0, 2 * Math.PI);
    g.fill();
    g.stroke();
  }
  g.fillStyle = colour;
}

/** The cursor, a dot on each curve, and the values in the panel's upper corner. */
function drawCursor(g, panel, branches, step, x, y, top, bottom, right, palette, theme) {
  g.strokeStyle = theme.ink;
  g.globalAlpha = 0.7;
  g.lineWidth = 1;
  line(g, x(step), top, x(step), bottom);
  g.globalAlpha = 1;
  g.textAlign = "right";
  g.textBaseline = "middle";
  let edge = right;
  for (let i = branches.length - 1; i >= 0; i--) {
    const value = branches[i].valueAt(panel.line, step);
    if (!Number.isFinite(value)) continue;
    const { colour } = strokeOf(palette, i, theme);
    g.fillStyle = colour;
    g.beginPath();
    g.arc(x(step), y(value), 3.2, 0, 2 * Math.PI);
    g.fill();
    g.fillStyle = theme.ink;
    const text = short(value);
    g.fillText(text, edge, 8);
    edge -= g.measureText(text).width + 11;
    g.fillStyle = colour;
    g.fillRect(edge, 4, 7, 7);
    edge -= 8;
  }
}

