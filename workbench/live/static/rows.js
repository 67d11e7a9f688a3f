/* The rows of the panel around its dials: training, branches and the past, experiments, success, what recompiles. */

/** What a person can do next, by the trainer's status. */
const NEXT = {
  idle: "nothing is trained yet; Start trains without end",
  compiling: "the first update waits for this",
  running: "Pause halts after this chunk of updates, Stop also ends the thread",
  paused: "Start goes on from here",
  stopped: "the thread has ended; Start goes on from here in a new one",
  failed: "see what went wrong; rewind or lower a dial, then Start goes on",
};

const button = (text, title, work) => {
  const made = element("button", { type: "button", className: "push", textContent: text, title });
  made.addEventListener("click", work);
  return made;
};

/** A number box after its label. */
function numbered(label, value, title = "") {
  const box = element("input", { type: "text", inputMode: "numeric", autocomplete: "off", value, title });
  box.addEventListener("keydown", (event) => event.stopPropagation());
  return [box, element("label", { className: "field" }, label, box)];
}

function ticked(label, title, work) {
  const box = element("input", { type: "checkbox", title });
  box.addEventListener("change", () => work(box.checked));
  return [box, element("label", { className: "field" }, box, label)];
}

/** A choice after its label, which may be an element. */
function chosen(label, title, work = () => {}) {
  const box = element("select", { title });
  box.addEventListener("change", () => work(box.value));
  return [box, element("label", { className: "field" }, label, box)];
}

/** Give a choice these options, where they are others, and show one of them. */
function choose(box, options, value) {
  const texts = options.map(String);
  if ([...box.options].map((option) => option.value).join("\n") !== texts.join("\n"))
    box.replaceChildren(...texts.map((text) => element("option", { value: text, textContent: text })));
  box.value = String(value);
}

class TrainingRow {
  constructor(panel) {
    const [count, field] = numbered("", "1", "updates of a step");
    count.setAttribute("aria-label", "updates of a step");
    this.status = element("span", { className: "status", aria: { role: "status" } });
    this.numbers = element("div", { className: "numbers" });
    this.error = element("pre", { className: "error", hidden: true, aria: { role: "alert" } });
    const row = element(
      "div", { className: "row" },
      button("Start", "train without end", () => panel.ask("start")),
      button("Pause", "halt after this chunk of updates; Start goes on", () => panel.ask("pause")),
      button("Stop", "halt, and end the thread; Start goes on in a new one", () => panel.ask("stop")),
      element("span", { className: "joined" }, button("Step", "train so many updates, then pause", () => panel.ask("step", { count: count.value })), field, "updates"),
      this.status,
    );
    this.root = element("div", {}, row, this.error, this.numbers);
  }
  tell({ status, message, error, numbers }) {
    this.status.replaceChildren(element("b", { textContent: status }), ` ${message || NEXT[status] || ""}`);
    this.numbers.textContent = numbers;
    this.error.hidden = !error;
    this.error.textContent = error;
  }
}

class PastRow {
  constructor(panel) {
    const at = () => ({ at: this.at.value });
    [this.branch, this.branches] = chosen("branch", "the branch that the dials move and the picture shows", (name) => panel.ask("select", { chosen: name }));
    [this.active, this.trains] = ticked("trains", "train this branch in its turn, or let it rest", (on) => panel.ask("activate", { on }));
    let field;
    [this.at, field] = numbered("at update", "", "follows the last change by hand; where there is none, the last update");
    this.at.addEventListener("input", () => (this.typed = true));
    this.root = element(
      "div", { className: "row" }, this.branches, this.trains,
      element("span", { className: "joined" }, field,
        button("Rewind", "back to that update: changes made at it or later are undone, and what was learned since is lost", () => panel.ask("rewind", at())),
        button("Fork", "a second branch from that update", () => panel.ask("fork", at()))),
      button("Fork now", "a second branch from here", () => panel.ask("fork")),
      element("span", { className: "right" },
        button("Reset", "all dials back to the values this branch began with", () => panel.gesture("reset")),
        button("Paper values", "the values of the paper", () => panel.gesture("paper"))),
    );
  }
  show({ branch, branches, active, at, news }, step) {
    choose(this.branch, branches, branch);
    this.active.checked = active;
    const key = JSON.stringify(news);
    if (key !== this.news) this.typed = false;
    this.news = key;
    if (!this.typed) this.at.value = at ?? step ?? 0;
  }
}

class GuideRow {
  constructor(panel) {
    this.watch = element("div", { className: "meaning" });
    [this.choice, this.field] = chosen("experiment", "a guided experiment", () => this.tell());
    const work = () => panel.gesture("try", { title: this.choice.value });
    this.root = element("div", { className: "guide" }, element("div", { className: "row" }, this.field, button("Try it", "set the experiment's values; Rewind undoes it", work)), this.watch);
  }
  offer({ experiments }) {
    this.experiments = experiments;
    this.root.hidden = !experiments.length;
    choose(this.choice, experiments.map((each) => each.title), this.choice.value || experiments[0]?.title);
    this.tell();
  }
  tell() {
    const found = this.experiments.find((each) => each.title === this.choice.value);
    this.watch.textContent = found ? `Watch: ${found.watch}` : "";
  }
}

class EvaluationRow {
  constructor(panel) {
    [this.on, this.field] = ticked("evaluate while training", "play episodes with every branch that trains", (on) => panel.ask("evaluating", { on }));
    let field;
    [this.episodes, field] = numbered("episodes", "", "episodes of an evaluation");
    this.episodes.addEventListener("change", () => panel.ask("episodes", { count: this.episodes.value }));
    this.note = element("span", { className: "meaning", aria: { role: "status" } });
    const now = button("Evaluate now", "play this many episodes with this branch", () => panel.ask("evaluate"));
    this.root = element("div", { className: "row" }, this.field, field, now, this.note);
  }
  show({ evaluating, every, episodes, success }) {
    this.on.checked = evaluating;
    this.field.title = `every ${every} s`;
    if (this.episodes !== this.episodes.getRootNode().activeElement) this.episodes.value = episodes;
    this.note.textContent = success;
  }
}

class StaticRow {
  constructor(panel) {
    this.choices = new Map();
    this.fields = element("span", { className: "joined" });
    this.compiling = element("span", { className: "meaning" });
    const work = () => panel.ask("vary", { settings: Object.fromEntries([...this.choices].map(([name, box]) => [name, Number(box.value)])) });
    this.root = element("div", { className: "row" }, this.fields, button("New branch", "train with these choices from update 0; this compiles", work), this.compiling);
  }
  offer({ static: offered }) {
    this.choices.clear();
    this.branch = null;
    const made = offered.map(({ name, symbol, options }) => {
      const [box, field] = chosen(symbolOf(symbol), symbol);
      choose(box, options, options[0]);
      box.setAttribute("aria-label", symbol);
      this.choices.set(name, box);
      return field;
    });
    this.fields.replaceChildren(...made);
    this.root.hidden = !offered.length;
  }
  /** Show the branch's own choices, once: those that a person makes stay until another branch is shown. */
  show({ branch, static: values }) {
    if (branch === this.branch) return;
    this.branch = branch;
    for (const [name, box] of this.choices) box.value = String(values[name]);
  }
}

