/* A dial: symbol and meaning, switch, slider, number box. It asks; what it shows at rest is what the kernel says. */

const OFTEN_MS = 40;
const DOUBLE_MS = 400;

/** A symbol such as w_QL, with its subscript. */
function symbolOf(text) {
  const [base, below] = text.split("_");
  return element("span", { className: "symbol" }, base, ...(below ? [element("sub", { textContent: below })] : []));
}

class Dial {
  constructor(panel, described) {
    Object.assign(this, described, { panel, scale: new Scale(described), value: NaN, asked: null, refused: null });
    Object.assign(this, { before: new Map(), heardUntil: 0, sentAt: 0, drag: null, pressed: { time: -Infinity } });
    this.build();
    this.listen();
  }
  build() {
    const label = `${this.symbol}, ${this.meaning}`;
    this.thumb = element("i", { className: "thumb" });
    this.fill = element("i", { className: "fill" });
    this.tick = element("i", { className: "tick", hidden: this.paper === null });
    const rail = element("i", { className: "rail" }, ...(this.scale.zero ? [element("i", { className: "gap" })] : []));
    const range = { valuemin: this.scale.first, valuemax: this.scale.last };
    this.slider = element("div", { className: "slider", tabIndex: 0, aria: { role: "slider", label, ...range } }, rail, this.fill, this.tick, this.thumb);
    this.box = element("input", { type: "text", inputMode: "decimal", autocomplete: "off", spellcheck: false, aria: { label: `${this.symbol}, number` } });
    this.toggle = element("button", { type: "button", className: "switch", title: "on or off", aria: { role: "switch", label: `${this.symbol} on` } });
    this.back = element("button", { type: "button", className: "paper", title: "take the paper's value; a double click on the slider does too", hidden: this.paper === null, textContent: `paper ${this.paper}` });
    this.words = element("div", { className: "refused", hidden: true, aria: { role: "alert" } });
    const name = element("div", { className: "name" }, symbolOf(this.symbol), element("span", { className: "meaning", textContent: this.meaning }), this.back);
    const line = element("div", { className: "line" }, ...(this.scale.zero ? [this.toggle] : []), this.slider, this.box);
    this.root = element("div", { className: `dial workbench-dial-${this.name}` }, name, line, this.words);
    if (this.paper !== null) this.tick.style.left = this.place(this.paper);
  }
  listen() {
    const { slider, box } = this;
    slider.addEventListener("keydown", (event) => this.key(event));
    slider.addEventListener("keyup", () => (this.held = null));
    slider.addEventListener("pointerdown", (event) => this.press(event));
    slider.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) slider.addEventListener(end, () => this.release());
    box.addEventListener("input", () => (this.dirty = true));
    box.addEventListener("change", () => this.type(box.value.trim()));
    box.addEventListener("blur", () => {
      this.dirty = false;
      this.draw();
    });
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.forget();
      if (event.key === "Enter" && this.refused !== null) this.type(box.value.trim());
      event.stopPropagation();
    });
    this.back.addEventListener("click", () => this.turn(this.paper, this.panel.hand()));
    this.toggle.addEventListener("click", () => {
      const off = this.current === 0, last = this.before.get(this.panel.branch) ?? (this.paper || 1);
      this.turn(off ? last : 0, this.panel.hand());
    });
  }

  // What is shown.

  /** The value asked for, until the kernel has answered; else the kernel's. */
  get current() {
    return this.asked && this.asked.branch === this.panel.branch ? this.asked.value : this.value;
  }
  show(value) {
    if (value !== this.value) this.calm();
    this.value = value;
    this.draw();
  }
  place(value) {
    return `${100 * this.scale.share(value)}%`;
  }
  draw() {
    const value = this.current, beyond = this.scale.beyond(value), off = this.scale.zero && value === 0;
    if (value !== 0) this.before.set(this.panel.branch, value);
    this.thumb.style.left = this.fill.style.width = this.place(value);
    this.root.classList.toggle("off", off);
    this.root.classList.toggle("waits", this.asked !== null);
    this.thumb.dataset.beyond = beyond < 0 ? "◂" : beyond > 0 ? "▸" : "";
    this.toggle.setAttribute("aria-checked", String(!off));
    this.back.disabled = value === this.paper;
    if (!this.dirty) this.box.value = this.refused ?? String(value);
    this.box.title = beyond ? "beyond the slider, and exact" : "";
    const { first, last } = this.scale, notes = [off && "off", value === this.paper && "the paper's value", beyond && "beyond the slider"];
    this.slider.setAttribute("aria-valuenow", Math.min(last, Math.max(first, value)));
    this.slider.setAttribute("aria-valuetext", [value, ...notes.filter(Boolean)].join(", "));
  }
  /** Take back what a refusal left on the page. */
  calm() {
    this.refused = null;
    this.words.hidden = true;
    this.box.removeAttribute("aria-invalid");
  }
  forget() {
    this.calm();
    this.dirty = false;
    this.draw();
  }

  // What a hand does.

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const erase = event.key === "Backspace" || event.key === "Delete";
    const value = erase && this.paper !== null ? this.paper : this.scale.keyed(this.current, event.key);
    if (value === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.held = (event.repeat && this.held) || this.panel.hand();
    this.turn(value, this.held);
  }
  /** Taken at its thumb, the slider does not move before the pointer does; pressed elsewhere, it comes there. */
  press(event) {
    if (event.button !== 0) return;
    this.slider.setPointerCapture(event.pointerId);
    const { left, width } = this.slider.getBoundingClientRect(), x = event.clientX, last = this.pressed;
    const again = event.timeStamp - last.time < DOUBLE_MS && Math.abs(x - last.x) < 5;
    const hand = again ? last.hand : this.panel.hand(), from = left + this.scale.share(this.current) * width;
    this.pressed = { time: again ? -Infinity : event.timeStamp, x, hand };
    if (again) {
      if (this.paper !== null) this.turn(this.paper, hand);
      return;
    }
    const taken = Math.abs(x - from) <= 9;
    this.drag = { hand, x, offset: taken ? x - from : 0, moved: !taken };
    if (!taken) this.follow(x);
  }
  move(event) {
    if (!this.drag) return;
    this.drag.moved ||= Math.abs(event.clientX - this.drag.x) > 2;
    if (this.drag.moved) this.follow(event.clientX);
  }
  follow(x) {
    const { left, width } = this.slider.getBoundingClientRect();
    this.turn(this.scale.at((x - this.drag.offset - left) / width), this.drag.hand);
  }
  release() {
    if (!this.drag) return;
    this.drag = null;
    this.flush();
    this.settle();
  }
  type(text) {
    this.dirty = false;
    if (text === "" || text === String(this.current)) return this.forget();
    const hand = this.panel.hand(), number = Number(text);
    this.turn(Number.isFinite(number) ? number : this.current, hand, text);
  }

  // Asking the kernel.

  /** Ask for a value as part of what a hand does; `text` as it was typed, for the kernel to read. */
  turn(value, hand, text) {
    if (value === this.current && text === undefined) return;
    if (this.asked?.hand !== hand) this.flush();
    this.calm();
    this.asked = { value, text, hand, branch: hand.branch, number: Infinity };
    this.draw();
    const wait = this.sentAt + OFTEN_MS - performance.now();
    if (wait <= 0) this.send();
    else this.timer ??= setTimeout(() => this.send(), wait);
  }
  send() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.sentAt = performance.now();
    const { value, text, hand } = this.asked;
    this.asked.number = this.panel.ask("turn", { branch: hand.branch, gesture: hand.id, values: { [this.name]: text ?? value } });
  }
  /** Send now what waits for its turn. */
  flush() {
    if (this.timer !== undefined) this.send();
  }
  heard(number, refused) {
    this.heardUntil = Math.max(this.heardUntil, number);
    const asked = this.asked;
    this.settle();
    if (!refused || asked?.number !== number) return;
    if (asked.branch === this.panel.branch && asked.text !== undefined) this.refused = asked.text;
    this.box.setAttribute("aria-invalid", "true");
    const sentence = refused.startsWith(`${this.name} `) ? this.symbol + refused.slice(this.name.length) : refused;
    this.words.textContent = `${sentence} It stays ${this.value}.`;
    this.words.hidden = false;
    this.draw();
  }
  settle() {
    if (this.drag || this.timer !== undefined || !(this.asked?.number <= this.heardUntil)) return;
    this.asked = null;
    this.draw();
  }
}

