/* The live view of training: curves on canvases, samples of the policy, a table, all from binary deltas.
   One anywidget module, no build step and no request to anywhere. State lives with the model, so that several
   views of it and a view that is made anew show the same; a page that is reloaded says `hello` and is sent all. */

// ------------------------------------------------------------------------------------------------ state

/** A column of numbers that grows at its end. */
class Column {
  constructor(length) {
    this.values = new Float32Array(Math.max(256, 2 * length)).fill(NaN);
  }
  reserve(length) {
    if (length <= this.values.length) return;
    const wider = new Float32Array(2 * length).fill(NaN);
    wider.set(this.values);
    this.values = wider;
  }
}

class Branch {
  constructor(part) {
    this.name = part.name;
    this.parent = part.parent;
    this.forkedAt = part.forked_at;
    this.rows = 0;
    this.columns = new Map();
    this.marks = [];
  }
  /** Append rows that arrive row by row, with the names of their columns. */
  append(names, rows, table) {
    names.forEach((name, j) => {
      if (!this.columns.has(name)) this.columns.set(name, new Column(this.rows + rows));
      const column = this.columns.get(name);
      column.reserve(this.rows + rows);
      for (let i = 0; i < rows; i++) column.values[this.rows + i] = table[i * names.length + j];
    });
    for (const column of this.columns.values()) column.reserve(this.rows + rows);
    this.rows += rows;
  }
  get(name) {
    return this.columns.get(name)?.values;
  }
  has(name) {
    const values = this.get(name);
    if (!values) return false;
    for (let i = 0; i < this.rows; i++) if (Number.isFinite(values[i])) return true;
    return false;
  }
  /** The last row at or before a step, or -1. */
  rowAt(step) {
    const steps = this.get("step");
    let low = 0, high = this.rows;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (steps[middle] <= step) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
  /** The last value of a metric at or before a step. */
  valueAt(name, step) {
    const values = this.get(name);
    if (!values) return NaN;
    let i = this.rowAt(step);
    while (i >= 0 && !Number.isFinite(values[i])) i--;
    return i < 0 ? NaN : values[i];
  }
}

class Store {
  constructor() {
    this.branches = new Map();
    this.order = [];
    this.status = "";
    this.error = null;
    this.speed = 0;
    this.pictures = {};
    this.painted = 0; // how many pictures have come: clouds are drawn again only when one has
    this.cursor = null;
    this.showTable = false;
    this.messages = 0;
    this.heard = false;
    this.last = 0;
    this.views = new Set();
  }
  /** Whether a message follows the last one, or needs none before it; a gap means that some were lost. */
  accepts(head) {
    if (!head.full && !(this.heard && head.number === this.last + 1)) return false;
    this.heard = true;
    this.last = head.number;
    return true;
  }
  apply(head, buffers) {
    const floats = (i) => {
      const view = buffers[i];
      return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
    };
    if (head.full) {
      this.branches.clear();
      this.pictures = {};
    }
    Object.assign(this, { status: head.status, error: head.error, speed: head.speed, order: head.order });
    for (const part of head.branches) {
      if (part.fresh || !this.branches.has(part.name)) this.branches.set(part.name, new Branch(part));
      const branch = this.branches.get(part.name);
      branch.marks.push(...part.marks.map(([step, name, old, now]) => ({ step, name, old, now })));
      if (part.rows) branch.append(part.columns, part.rows, floats(part.buffer));
    }
    for (const name of ["cloud", "paths", "reward"])
      if (head[name]) {
        this.pictures[name] = { ...head[name], values: floats(head[name].buffer) };
        this.painted++;
      }
    this.messages++;
    this.changed();
  }
  changed() {
    for (const view of this.views) view.schedule();
  }
  shown() {
    return this.order.map((name) => this.branches.get(name)).filter(Boolean);
  }
  /** First and last step of all branches. */
  span() {
    let low = Infinity, high = -Infinity;
    for (const branch of this.shown()) {
      if (!branch.rows) continue;
      low = Math.min(low, branch.get("step")[0]);
      high = Math.max(high, branch.get("step")[branch.rows - 1]);
    }
    if (low > high) return [0, 1];
    if (low < 0.05 * high) low = 0;
    return low === high ? [low - 1, high + 1] : [low, high];
  }
}

// ------------------------------------------------------------------------------------------------ numbers

const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

function short(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) {
    const [digits, exponent] = value.toExponential(1).split("e");
    return `${digits.replace("-", "−")}×10${[...String(+exponent)].map((c) => SUPERSCRIPT[c]).join("")}`;
  }
  return String(+value.toPrecision(3)).replace("-", "−");
}

const whole = (value) => Math.round(value).toLocaleString("en");

function thousands(value) {
  for (const [size, letter] of [[1e6, "M"], [1e3, "k"]])
    if (Math.abs(value) >= size) return `${+(value / size).toPrecision(4)}${letter}`;
  return String(+value.toPrecision(4)).replace("-", "−");
}

function linearTicks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(+(i * step).toPrecision(12));
  return ticks;
}

function logTicks(low, high) {
  const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
  const within = (ticks) => ticks.filter((t) => t >= low * 0.999 && t <= high * 1.001);
  const decades = [];
  const stride = Math.max(1, Math.ceil((last - first) / 5));
  for (let e = first; e <= last; e++) if (e % stride === 0) decades.push(10 ** e);
  if (within(decades).length >= 3) return within(decades);
  const finer = [];
  for (let e = first; e <= last; e++) for (const m of [1, 2, 5]) finer.push(m * 10 ** e);
  return within(finer).length >= 2 ? within(finer) : linearTicks(low, high, 3).filter((t) => t > 0);
}

function power(value) {
  const exponent = Math.round(Math.log10(value));
  const decade = Math.abs(value / 10 ** exponent - 1) < 1e-6;
  if (Math.abs(exponent) <= 3 || (!decade && exponent === -4)) return String(+value.toPrecision(3));
  if (!decade) return "";
  return `10${[...String(exponent)].map((c) => SUPERSCRIPT[c]).join("")}`;
}

// ------------------------------------------------------------------------------------------------ drawing

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

/** Samples of the policy in the square of legal actions, with reward contours and trajectories of the flow. */
function drawCloud(canvas, number, pictures, palette, theme) {
  const [g, width, height] = prepare(canvas);
  const side = Math.min(width - 56, height - MARGIN.top - MARGIN.bottom + 4);
  const left = (width - side) / 2 + 14, top = MARGIN.top - 4;
  const x = (a) => left + ((a + 1.05) / 2.1) * side, y = (a) => top + side - ((a + 1.05) / 2.1) * side;
  g.font = `11px ${theme.font}`;
  g.strokeStyle = g.fillStyle = theme.ink;
  g.lineWidth = 1;
  for (const tick of [-1, 0, 1]) {
    g.globalAlpha = 0.13;
    line(g, x(tick), top, x(tick), top + side);
    line(g, left, y(tick), left + side, y(tick));
    g.globalAlpha = 0.85;
    g.textAlign = "center";
    g.textBaseline = "top";
    g.fillText(short(tick), x(tick), top + side + 5);
    g.textAlign = "right";
    g.textBaseline = "middle";
    g.fillText(short(tick), left - 6, y(tick));
  }
  g.textAlign = "center";
  g.textBaseline = "top";
  g.fillText("action 1", left + side / 2, top + side + 18);
  g.save();
  g.translate(left - 34, top + side / 2);
  g.rotate(-Math.PI / 2);
  g.fillText("action 2", 0, 0);
  g.restore();
  g.globalAlpha = 0.6;
  line(g, left, top, left, top + side);
  line(g, left, top + side, left + side, top + side);
  g.save();
  g.beginPath();
  g.rect(left, top, side, side);
  g.clip();
  const [, count] = pictures.cloud.shape, { values } = pictures.cloud;
  g.fillStyle = strokeOf(palette, 0, theme).colour;
  g.globalAlpha = 0.4;
  for (let i = number * count; i < (number + 1) * count; i++) {
    g.beginPath();
    g.arc(x(values[2 * i]), y(values[2 * i + 1]), 1.5, 0, 2 * Math.PI);
    g.fill();
  }
  if (pictures.paths && number === 0) drawPaths(g, pictures.paths, x, y, theme);
  g.globalAlpha = 1;
  g.strokeStyle = strokeOf(palette, 1, theme).colour;
  if (pictures.reward) drawContours(g, pictures.reward, x, y);
  g.restore();
}

function drawPaths(g, { shape, values }, x, y, theme) {
  const points = shape[1];
  g.strokeStyle = theme.ink;
  g.globalAlpha = 0.45;
  g.lineWidth = 0.9;
  for (let k = 0; k < shape[0]; k++) {
    g.beginPath();
    for (let i = k * points; i < (k + 1) * points; i++)
      if (Number.isFinite(values[2 * i])) g.lineTo(x(values[2 * i]), y(values[2 * i + 1]));
    g.stroke();
  }
}

/** Ends of the pieces of a level's contour, as x0, y0, x1, y1, …: marching squares without the tables, for on each
    triangle of each cell a level crosses none or two edges. */
function contour({ shape: [rows, columns], values }, level) {
  const at = (i, j) => ({ a: -1 + (2 * j) / (columns - 1), b: -1 + (2 * i) / (rows - 1), v: values[i * columns + j] });
  const pieces = [];
  for (let i = 0; i + 1 < rows; i++)
    for (let j = 0; j + 1 < columns; j++)
      for (const corners of [[at(i, j), at(i, j + 1), at(i + 1, j)], [at(i + 1, j + 1), at(i, j + 1), at(i + 1, j)]])
        for (let k = 0; k < 3; k++) {
          const p = corners[k], q = corners[(k + 1) % 3];
          if (p.v > level === q.v > level) continue;
          const w = (level - p.v) / (q.v - p.v);
          pieces.push(p.a + w * (q.a - p.a), p.b + w * (q.b - p.b));
        }
  return pieces;
}

/** Contours of the reward, which are found once. */
function drawContours(g, reward, x, y) {
  reward.contours ??= [0.25, 0.5, 0.75].map((level) => contour(reward, level));
  g.lineWidth = 1;
  for (const pieces of reward.contours) {
    g.beginPath();
    for (let i = 0; i < pieces.length; i += 4) {
      g.moveTo(x(pieces[i]), y(pieces[i + 1]));
      g.lineTo(x(pieces[i + 2]), y(pieces[i + 3]));
    }
    g.stroke();
  }
}

// ------------------------------------------------------------------------------------------------ view

const STYLE = `
.workbench-live { --paper: var(--jp-layout-color0, var(--vscode-editor-background, Canvas));
  color: var(--jp-ui-font-color1, var(--vscode-foreground, CanvasText));
  font: 12px/1.4 var(--jp-ui-font-family, system-ui, sans-serif); background: var(--paper); padding: 4px 2px; position: relative; }
.workbench-live .bar { display: flex; flex-wrap: wrap; gap: 4px 18px; align-items: center; margin: 0 8px 8px; min-height: 26px; }
.workbench-live .key { display: inline-flex; align-items: center; gap: 6px; }
.workbench-live .status { margin-left: auto; font-variant-numeric: tabular-nums; opacity: 0.85; }
.workbench-live button { font: inherit; color: inherit; background: transparent; padding: 2px 10px; border-radius: 3px;
  border: 1px solid var(--jp-border-color1, currentColor); cursor: pointer; }
.workbench-live button:focus-visible, .workbench-live canvas:focus-visible, .workbench-live .tables:focus-visible {
  outline: 2px solid var(--jp-brand-color1, Highlight); outline-offset: 1px; }
.workbench-live .grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(270px, 1fr)); gap: 14px 12px; }
.workbench-live figure { margin: 0; min-width: 0; position: relative; }
.workbench-live figcaption { font-weight: 600; padding-left: 8px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.workbench-live figcaption span { font-weight: 400; opacity: 0.8; }
.workbench-live button[aria-pressed="true"] { background: var(--jp-layout-color2, GrayText); }
.workbench-live canvas { display: block; width: 100%; height: 190px; border-radius: 2px; }
.workbench-live .tip { position: absolute; pointer-events: none; z-index: 2; background: var(--paper); white-space: pre;
  border: 1px solid var(--jp-border-color1, currentColor); border-radius: 3px; padding: 2px 7px; font-size: 11px; top: -4px; width: max-content; }
.workbench-live .tables { max-height: 420px; overflow: auto; margin: 0 8px; }
.workbench-live table { border-collapse: collapse; margin: 0 0 14px; font-variant-numeric: tabular-nums; }
.workbench-live caption { text-align: left; font-weight: 600; padding: 2px 0 4px; }
.workbench-live th, .workbench-live td { text-align: right; padding: 2px 12px 2px 0; border-bottom: 1px solid var(--jp-border-color2, GrayText); }
.workbench-live .text { text-align: left; }
.workbench-live .error { white-space: pre-wrap; color: var(--jp-error-color1, #b00020); margin: 0 8px 8px; max-height: 240px; overflow: auto;
  font-family: var(--jp-code-font-family, monospace); }
.workbench-live [hidden] { display: none !important; }
/* In JupyterLab the picture that comes with the view is for saved notebooks: no need of it under a live view. */
.jp-OutputArea-child:has(.workbench-live) + .jp-OutputArea-child:has(img) { display: none; }
`;

function element(tag, properties = {}, ...children) {
  const { aria, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), rest);
  for (const [name, value] of Object.entries(aria || {})) node.setAttribute(name === "role" ? name : `aria-${name}`, value);
  node.append(...children);
  return node;
}

class View {
  constructor(model, store, el) {
    Object.assign(this, { store, panels: model.get("panels"), palette: model.get("palette"), frames: new Map(), pending: false });
    this.build(el);
    this.observer = new ResizeObserver(() => this.schedule());
    this.observer.observe(this.root);
    this.themes = new MutationObserver(() => this.schedule());
    this.themes.observe(document.body, { attributes: true });
    store.views.add(this);
    this.schedule();
  }
  remove() {
    this.store.views.delete(this);
    this.observer.disconnect();
    this.themes.disconnect();
  }
  build(el) {
    this.keys = element("span", { className: "bar", style: "margin: 0; min-height: 0" });
    this.status = element("span", { className: "status" });
    this.toggle = element("button", { type: "button", textContent: "Table" });
    this.toggle.addEventListener("click", () => {
      this.store.showTable = !this.store.showTable;
      this.store.changed();
    });
    this.error = element("pre", { className: "error", hidden: true, aria: { role: "alert" } });
    this.grid = element("div", { className: "grid" });
    this.tables = element("div", { className: "tables", hidden: true, tabIndex: 0, aria: { role: "region", label: "Table of the metrics" } });
    this.root = element(
      "div", { className: "workbench-live", aria: { role: "group", label: "Live view of training" } },
      element("style", { textContent: STYLE }),
      element("div", { className: "bar" }, this.keys, this.status, this.toggle), this.error, this.grid, this.tables,
    );
    el.append(this.root);
  }
  schedule() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      if (this.root.isConnected) this.draw();
    });
  }
  draw() {
    const { store } = this, theme = inkOf(this.root);
    this.describe(theme);
    this.grid.hidden = store.showTable;
    this.tables.hidden = !store.showTable;
    this.toggle.setAttribute("aria-pressed", String(store.showTable));
    if (store.showTable) this.tabulate();
    else this.drawAll(theme);
    // What is on the screen, for tests and for the benchmark of latency.
    const branches = store.shown();
    this.root.dataset.step = Math.max(0, ...branches.filter((b) => b.rows).map((b) => b.get("step")[b.rows - 1]));
    this.root.dataset.rows = branches.reduce((sum, b) => sum + b.rows, 0);
    this.root.dataset.marks = branches.reduce((sum, b) => sum + b.marks.length, 0);
    this.root.dataset.status = store.status;
    this.root.dataset.messages = store.messages;
  }
  describe(theme) {
    const { store } = this, branches = store.shown();
    const names = JSON.stringify([branches.map((b) => [b.name, b.forkedAt]), theme.ink]);
    if (names !== this.named) {
      this.named = names;
      this.keys.replaceChildren(...branches.map((branch, i) => this.key(branch, i, theme)));
    }
    const [, final] = store.span();
    const at = branches.some((b) => b.rows) ? ` · update ${whole(final)}` : "";
    const speed = store.status === "running" && store.speed ? ` · ${whole(store.speed)} updates/s` : "";
    const cursor = store.cursor === null ? "" : `cursor at ${whole(store.cursor)} · `;
    this.status.textContent = `${cursor}${store.status || "waiting for the kernel"}${at}${speed}`;
    this.error.hidden = !store.error;
    if (store.error && this.error.textContent !== store.error) this.error.textContent = store.error;
  }
  key(branch, i, theme) {
    const canvas = element("canvas", { style: "width: 34px; height: 10px", aria: { hidden: "true" } });
    requestAnimationFrame(() => {
      const [g] = prepare(canvas), { colour, dash } = strokeOf(this.palette, i, theme);
      g.strokeStyle = colour;
      g.lineWidth = 1.8;
      g.setLineDash(dash);
      line(g, 0, 5, 34, 5);
    });
    const fork = branch.parent && !branch.name.includes(" from ") ? ` (from ${branch.parent} at ${whole(branch.forkedAt || 0)})` : "";
    return element("span", { className: "key" }, canvas, branch.name + fork);
  }
  drawAll(theme) {
    const { store } = this, branches = store.shown();
    const panels = this.panels.filter((panel) => branches.some((branch) => branch.has(panel.line)));
    const shown = panels.length ? panels : this.panels.slice(0, 1);
    this.hideAllBut([...shown.map((panel) => panel.line), ...this.cloudNames()]);
    for (const panel of shown) {
      const frame = this.frame(panel.line, panel.title, panel.unit, true);
      frame.scale = drawPanel(frame.canvas, panel, store, this.palette, theme);
      this.announce(frame.canvas, panel);
    }
    const { cloud } = store.pictures;
    for (let i = 0; cloud && i < cloud.shape[0]; i++) {
      const frame = this.frame(`cloud ${i}`, "policy", " ", false), { clientWidth, clientHeight } = frame.canvas;
      const drawn = [store.painted, theme.ink, theme.paper, clientWidth, clientHeight, devicePixelRatio].join();
      if (frame.drawn === drawn) continue;
      frame.drawn = drawn;
      const rings = store.pictures.reward && i === 0 ? "; contours: reward ¼ ½ ¾" : "";
      frame.caption.lastChild.textContent = ` ${cloud.labels[i] || ""}${rings}`;
      frame.canvas.setAttribute("aria-label", `${cloud.shape[1]} actions sampled from the policy, ${cloud.labels[i] || ""}`);
      drawCloud(frame.canvas, i, store.pictures, this.palette, theme);
    }
  }
  cloudNames() {
    const count = this.store.pictures.cloud?.shape[0] || 0;
    return Array.from({ length: count }, (_, i) => `cloud ${i}`);
  }
  /** Hide what has nothing to show any more: a branch that is rewound may have no value of a metric left. */
  hideAllBut(names) {
    for (const [name, frame] of this.frames) frame.figure.hidden = !names.includes(name);
  }
  /** The canvas of a panel, made when it is first asked for, in the order of the panels. */
  frame(name, title, unit, curves) {
    if (this.frames.has(name)) return this.frames.get(name);
    const canvas = element("canvas", { aria: { role: curves ? "slider" : "img", label: title } });
    const tip = element("div", { className: "tip", hidden: true });
    const caption = element("figcaption", {}, title, element("span", { textContent: unit ? ` (${unit})` : "" }));
    const frame = { canvas, tip, caption, figure: element("figure", {}, caption, canvas, tip), rank: this.panels.findIndex((p) => p.line === name) };
    if (!curves) frame.rank = 1000 + this.frames.size;
    const after = [...this.frames.values()].find((other) => other.rank > frame.rank);
    this.grid.insertBefore(frame.figure, after ? after.figure : null);
    this.frames = new Map([...this.frames, [name, frame]].sort(([, a], [, b]) => a.rank - b.rank));
    if (curves) this.listen(frame);
    return frame;
  }
  listen(frame) {
    const { canvas } = frame;
    canvas.tabIndex = 0;
    canvas.addEventListener("pointermove", (event) => {
      const { first, final, left, right } = frame.scale;
      const share = (event.offsetX - left) / (right - left);
      this.moveTo(first + Math.min(1, Math.max(0, share)) * (final - first), frame);
    });
    canvas.addEventListener("pointerleave", () => {
      if (document.activeElement !== canvas) this.moveTo(null, frame);
    });
    canvas.addEventListener("blur", () => this.moveTo(null, frame));
    canvas.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const target = this.keyTarget(event.key, event.shiftKey);
      if (target === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.moveTo(target, frame);
    });
  }
  /** Where a key takes the cursor: arrows 1 %, Page keys 10 %, Home and End, m and M to the changes, Escape away. */
  keyTarget(key) {
    const { store } = this, [first, final] = store.span();
    const now = store.cursor ?? (key === "ArrowRight" || key === "PageUp" ? first : final);
    const by = (share) => Math.min(final, Math.max(first, now + share * (final - first)));
    const marks = store.shown().flatMap((branch) => branch.marks.map((mark) => mark.step)).sort((a, b) => a - b);
    switch (key) {
      case "ArrowRight": case "ArrowUp": return by(0.01);
      case "ArrowLeft": case "ArrowDown": return by(-0.01);
      case "PageUp": return by(0.1);
      case "PageDown": return by(-0.1);
      case "Home": return first;
      case "End": return final;
      case "m": return marks.find((step) => step > (store.cursor ?? -1)) ?? now;
      case "M": return marks.reverse().find((step) => step < now) ?? now;
      case "Escape": return null;
    }
  }
  moveTo(step, frame) {
    this.store.cursor = step;
    for (const { tip } of this.frames.values()) tip.hidden = true;
    const near = step === null ? [] : this.marksNear(step, frame.scale);
    if (near.length) {
      const { first, final, left, right } = frame.scale;
      const at = left + ((near[0].step - first) / (final - first)) * (right - left);
      const lines = near.slice(0, 6).map((mark) => this.sentence(mark));
      frame.tip.textContent = lines.concat(near.length > 6 ? [`and ${near.length - 6} more`] : []).join("\n");
      frame.tip.hidden = false;
      const room = frame.canvas.clientWidth - frame.tip.offsetWidth;
      frame.tip.style.left = `${Math.max(0, at + 8 <= room ? at + 8 : Math.min(room, at - 8 - frame.tip.offsetWidth))}px`;
    }
    this.store.changed();
  }
  marksNear(step, { first, final, left, right }) {
    const reach = (5 * (final - first)) / (right - left);
    return this.store.shown().flatMap((branch) =>
      branch.marks.filter((mark) => Math.abs(mark.step - step) <= reach).map((mark) => ({ ...mark, branch: branch.name })));
  }
  sentence(mark) {
    const where = this.store.order.length > 1 ? `${mark.branch}, ` : "";
    return `${where}update ${whole(mark.step)}: ${mark.name} ${short(mark.old)} → ${short(mark.now)}`;
  }
  announce(canvas, panel) {
    const { store } = this, [first, final] = store.span(), step = store.cursor ?? final;
    const values = store.shown().map((branch) => `${branch.name} ${short(branch.valueAt(panel.line, step))}`);
    canvas.setAttribute("aria-label", `${panel.label} over updates; arrow keys move the cursor, m goes to the next change`);
    canvas.setAttribute("aria-valuemin", Math.round(first));
    canvas.setAttribute("aria-valuemax", Math.round(final));
    canvas.setAttribute("aria-valuenow", Math.round(step));
    canvas.setAttribute("aria-valuetext", `update ${whole(step)}: ${values.join(", ")}`);
  }
  /** Twelve rows of each branch, evenly spread and the last among them, and every change by hand; once a second. */
  tabulate() {
    const now = performance.now();
    if (this.tabulated && now - this.tabulated < 1000 && this.store.status === "running") return;
    this.tabulated = now;
    const branches = this.store.shown();
    const head = (names) => element("tr", {}, ...names.map((name) => element("th", { textContent: name, scope: "col" })));
    const metrics = branches.map((branch) => {
      const panels = this.panels.filter((panel) => branch.has(panel.line));
      const count = Math.min(12, branch.rows), rows = [];
      for (let k = 0; k < count; k++) {
        const step = branch.get("step")[count === 1 ? 0 : Math.round((k * (branch.rows - 1)) / (count - 1))];
        const cells = panels.map((panel) => element("td", { textContent: short(branch.valueAt(panel.line, step)) }));
        rows.push(element("tr", {}, element("th", { textContent: whole(step), scope: "row" }), ...cells));
      }
      return element("table", {}, element("caption", { textContent: branch.name }), head(["update", ...panels.map((p) => p.label)]), ...rows);
    });
    const changes = branches.flatMap((branch) => branch.marks.map((mark) => element("tr", {},
      ...[branch.name, whole(mark.step), mark.name, short(mark.old), short(mark.now)].map((text) => element("td", { textContent: text })))));
    const table = element("table", {}, element("caption", { textContent: changes.length ? "Changes by hand" : "No changes by hand" }));
    if (changes.length) table.append(head(["branch", "update", "what", "from", "to"]), ...changes);
    this.tables.replaceChildren(...metrics, table);
  }
}

// ------------------------------------------------------------------------------------------------ module

/** Ask for everything; again while unanswered, since a kernel that is busy or reconnecting may not hear it. */
function hello(model, store, tries = 5) {
  if (store.heard || !tries) return;
  model.send({ kind: "hello" });
  setTimeout(() => hello(model, store, tries - 1), 2000);
}

export default () => {
  const store = new Store();
  const initialize = ({ model }) => {
    const stored = model.get("snapshot");
    if (stored?.head) store.apply(stored.head, stored.buffers);
    // Where callbacks wait for cells, `hello` is answered after them, and the saved state is all that comes meanwhile.
    model.on("change:snapshot", () => {
      const renewed = model.get("snapshot");
      if (!store.heard && renewed?.head) store.apply(renewed.head, renewed.buffers);
    });
    model.on("msg:custom", (head, buffers) => {
      if (store.accepts(head)) store.apply(head, buffers);
      else if (store.heard) {
        store.heard = false;
        hello(model, store);
      }
    });
    hello(model, store);
  };
  const render = ({ model, el }) => {
    const view = new View(model, store, el);
    return () => view.remove();
  };
  return { initialize, render };
};
