/* The view itself: its style, its elements, and what they do when they are touched. */

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

