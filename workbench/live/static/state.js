/* The live view of training: curves on canvases, samples of the policy, a table, all from binary deltas. Its files make
   one anywidget module (view.py), with no build step and no request to anywhere. State lives with the model, so that
   several views of it and a view that is made anew show the same; a page that is reloaded says `hello` and is sent all.
   In this file: what is known of the branches, and numbers as they are written. */

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
      branch.marks.length = part.marks_stay;
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

