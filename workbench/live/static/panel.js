/* The panel: what the kernel says is shown, and what a hand does is sent with the branch that was shown then. */

const STYLE = `
.workbench-panel { --ink: var(--jp-ui-font-color1, var(--vscode-foreground, CanvasText)); --paper: var(--jp-layout-color0, var(--vscode-editor-background, Canvas));
  --line: var(--jp-border-color1, color-mix(in srgb, var(--ink) 30%, transparent)); --accent: var(--jp-brand-color1, #1976d2);
  --soft: color-mix(in srgb, var(--ink) 72%, var(--paper)); --faint: color-mix(in srgb, var(--ink) 14%, var(--paper));
  font: 13px/1.35 var(--jp-ui-font-family, system-ui, sans-serif); color: var(--ink); background: var(--paper); padding: 6px 10px 10px; container-type: inline-size; }
.workbench-panel * { box-sizing: border-box; }
.workbench-panel [hidden] { display: none !important; }
.workbench-panel .row { display: flex; flex-wrap: wrap; gap: 6px 8px; align-items: center; margin: 5px 0; min-height: 28px; }
.workbench-panel .joined { display: inline-flex; flex-wrap: wrap; gap: 6px; align-items: center; }
.workbench-panel .field { display: inline-flex; gap: 6px; align-items: center; white-space: nowrap; }
.workbench-panel .row > .field, .workbench-panel .row > .joined { margin-right: 8px; }
.workbench-panel .right { margin-left: auto; display: inline-flex; gap: 8px; }
.workbench-panel :is(button.push, select, input[type="text"]) { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: 4px; height: 26px; }
.workbench-panel button.push { padding: 0 11px; cursor: pointer; background: color-mix(in srgb, var(--ink) 6%, var(--paper)); }
.workbench-panel button.push:hover { background: var(--faint); }
.workbench-panel button.push:active { background: color-mix(in srgb, var(--ink) 24%, var(--paper)); }
.workbench-panel select { padding: 0 4px; max-width: min(100%, 30em); }
.workbench-panel input[type="text"] { padding: 0 6px; width: 5.5em; font-variant-numeric: tabular-nums; }
.workbench-panel input[type="checkbox"] { margin: 0; width: 15px; height: 15px; accent-color: var(--accent); }
.workbench-panel :is(button, select, input, .slider):focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.workbench-panel .status { margin-left: auto; text-align: right; color: var(--soft); }
.workbench-panel .status b { color: var(--ink); }
.workbench-panel .numbers { color: var(--soft); font-variant-numeric: tabular-nums; min-height: 1.35em; }
.workbench-panel :is(.meaning, .watch) { color: var(--soft); }
.workbench-panel .error { white-space: pre-wrap; color: var(--jp-error-color1, #b00020); max-height: 200px; overflow: auto; margin: 4px 0; font-size: 12px; }
.workbench-panel .groups { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 264px), 1fr)); gap: 6px 28px; margin: 8px 0; padding: 8px 0; border: solid var(--line); border-width: 1px 0; }
.workbench-panel h4 { margin: 0 0 4px; font-size: 12px; font-weight: 600; letter-spacing: 0.02em; color: var(--soft); }
.workbench-panel .dial { padding: 3px 0 5px; }
.workbench-panel .name { display: flex; gap: 8px; align-items: baseline; min-height: 20px; }
.workbench-panel .symbol { font-weight: 600; white-space: nowrap; }
.workbench-panel .field .symbol { font-weight: 400; }
.workbench-panel sub { font-size: 0.78em; line-height: 0; }
.workbench-panel .name .meaning { font-size: 12px; flex: 1; min-width: 0; }
.workbench-panel button.paper { font: inherit; font-size: 11px; color: var(--soft); background: none; border: 0; border-radius: 3px; padding: 0 3px; cursor: pointer; white-space: nowrap; text-decoration: underline dotted; }
.workbench-panel button.paper:disabled { text-decoration: none; cursor: default; opacity: 0.75; }
.workbench-panel .line { display: flex; gap: 10px; align-items: center; }
.workbench-panel .dial input[type="text"] { flex: 0 0 6.6em; width: 6.6em; text-align: right; }
.workbench-panel .dial select { flex: 1; }
.workbench-panel .slider { position: relative; flex: 1; height: 26px; margin: 0 8px; cursor: pointer; touch-action: none; border-radius: 4px; outline-offset: 3px; }
.workbench-panel .slider i { position: absolute; pointer-events: none; }
.workbench-panel .rail, .workbench-panel .fill { top: 11px; height: 4px; left: 0; border-radius: 2px; }
.workbench-panel .rail { right: 0; background: color-mix(in srgb, var(--ink) 22%, var(--paper)); }
.workbench-panel .gap { left: 4%; width: 4%; top: 0; height: 4px; background: var(--paper); }
.workbench-panel .fill { background: var(--accent); }
.workbench-panel .off .fill { background: none; }
.workbench-panel .tick { top: 4px; width: 2px; height: 5px; margin-left: -1px; background: var(--soft); }
.workbench-panel .thumb { top: 5px; width: 16px; height: 16px; margin-left: -8px; border-radius: 50%; background: var(--accent); border: 2px solid var(--paper); box-shadow: 0 0 0 1px var(--accent); }
.workbench-panel .off .thumb { background: var(--paper); }
.workbench-panel .thumb::after { content: attr(data-beyond); position: absolute; inset: 0; font: 9px/12px sans-serif; text-align: center; color: var(--paper); }
.workbench-panel .waits .thumb { opacity: 0.6; }
.workbench-panel .switch { flex: none; width: 28px; height: 16px; padding: 0; border-radius: 8px; border: 1px solid var(--soft); background: none; cursor: pointer; position: relative; }
.workbench-panel .switch::after { content: ""; position: absolute; top: 2px; left: 2px; width: 10px; height: 10px; border-radius: 50%; background: var(--soft); }
.workbench-panel .switch[aria-checked="true"] { background: var(--accent); border-color: var(--accent); }
.workbench-panel .switch[aria-checked="true"]::after { left: 14px; background: var(--paper); }
.workbench-panel .refused { color: var(--jp-error-color1, #b00020); font-size: 12px; padding-top: 2px; }
.workbench-panel input[aria-invalid="true"] { border-color: var(--jp-error-color1, #b00020); }
`;

const fresh = () => Math.random().toString(36).slice(2, 10);

class Panel {
  constructor(model, el) {
    Object.assign(this, { model, page: fresh(), number: 0, dials: [] });
    this.rows = { training: new TrainingRow(this), past: new PastRow(this), guide: new GuideRow(this), evaluation: new EvaluationRow(this), statics: new StaticRow(this) };
    this.groups = element("div", { className: "groups" });
    this.late = element("div", { className: "meaning", hidden: true, textContent: "The kernel has not answered yet: it takes this once the cell that runs is done." });
    const { training, past, guide, evaluation, statics } = this.rows;
    this.root = element(
      "div", { className: "workbench-panel", aria: { role: "group", label: "Controls of the training" } }, element("style", { textContent: STYLE }),
      training.root, past.root, this.groups, this.late, guide.root, evaluation.root, statics.root,
    );
    this.root.setAttribute("data-lm-suppress-shortcuts", "true"); // keys pressed here are no commands of JupyterLab
    el.append(this.root);
    this.followed = { "change:offered": () => this.offer(), "change:shown": () => this.show(), "change:told": () => this.tell(), "msg:custom": (content) => this.hear(content) };
    for (const [event, work] of Object.entries(this.followed)) model.on(event, work);
    this.offer();
    this.tell();
  }
  remove() {
    for (const [event, work] of Object.entries(this.followed)) this.model.off(event, work);
    clearTimeout(this.waiting);
  }

  // What the kernel says.

  /** What can be moved: other dials, groups and choices, where the branch has others. */
  offer() {
    const offered = this.model.get("offered");
    this.dials = offered.dials.map((described) => new Dial(this, described));
    const [verifier, field] = chosen("", offered.verifier.meaning, (value) => this.gesture("turn", { values: { verifier: value } }));
    verifier.setAttribute("aria-label", "verifier");
    choose(verifier, offered.verifier.options, offered.verifier.options[0]);
    this.verifier = verifier;
    const meaning = element("span", { className: "meaning", textContent: offered.verifier.meaning });
    const last = element("div", { className: "dial" }, element("div", { className: "name" }, element("span", { className: "symbol", textContent: "verifier" }), meaning), element("div", { className: "line" }, field));
    this.groups.replaceChildren(...Object.entries(offered.groups).flatMap(([group, title]) => {
      const own = this.dials.filter((dial) => dial.group === group).map((dial) => dial.root);
      if (group === "budget") own.push(last);
      return own.length ? [element("section", { aria: { label: title } }, element("h4", { textContent: title }), ...own)] : [];
    }));
    this.rows.guide.offer(offered);
    this.rows.statics.offer(offered);
    this.rows.evaluation.root.hidden = !offered.environment;
    this.show();
  }
  show() {
    const shown = this.model.get("shown");
    this.branch = shown.branch;
    for (const dial of this.dials) if (dial.name in shown.values) dial.show(shown.values[dial.name]);
    this.verifier.value = shown.values.verifier;
    this.rows.past.show(shown, this.model.get("told").step);
    this.rows.evaluation.show(shown);
    this.rows.statics.show(shown);
    this.root.dataset.branch = shown.branch;
  }
  tell() {
    const told = this.model.get("told");
    this.rows.training.tell(told);
    this.rows.past.show(this.model.get("shown"), told.step);
    this.rows.statics.compiling.textContent = told.compiling;
  }
  hear({ heard, page, refused }) {
    if (page !== this.page) return;
    if (heard === this.number) {
      clearTimeout(this.waiting);
      this.late.hidden = true;
    }
    for (const dial of this.dials) dial.heard(heard, refused);
    if (refused) this.show();
  }

  // What a hand does.

  /** A movement of the hand that begins now: all of it belongs to the branch that is shown. */
  hand() {
    return { id: fresh(), branch: this.branch };
  }
  gesture(what, content = {}) {
    this.ask(what, { gesture: fresh(), ...content });
  }
  /** Send what a hand did; returns the number under which it will be heard. */
  ask(what, content = {}) {
    this.number++;
    this.model.send({ do: what, page: this.page, number: this.number, branch: this.branch, ...content });
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => (this.late.hidden = false), 1500);
    return this.number;
  }
}

export default {
  render({ model, el }) {
    const panel = new Panel(model, el);
    return () => panel.remove();
  },
};
