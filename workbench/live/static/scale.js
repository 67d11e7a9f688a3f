/* Where values lie on a slider: even in a logarithm, with a place for 0 where the scale has one. */

/** Share of the slider that leads from 0 to the least value of the logarithm. */
const ZERO = 0.1;

/** A number with so many digits, without those that say nothing. */
const rounded = (value, digits) => Number(value.toPrecision(digits));

class Scale {
  constructor({ least, most, kind, zero }) {
    Object.assign(this, { least, most, kind, zero });
    this.room = zero ? ZERO : 0;
  }
  /** What the slider is even in the logarithm of; not a number above 0 for a value that has no place. */
  inner(value) {
    return this.kind === "horizon" ? 1 / (1 - value) : value;
  }
  outer(inner) {
    if (this.kind === "powers") return 2 ** Math.round(Math.log2(inner));
    return this.kind === "horizon" ? rounded(1 - 1 / rounded(inner, 2), 4) : rounded(inner, 2);
  }
  /** −1 for a value below the slider, 1 for one above it, else 0. */
  beyond(value) {
    if (this.zero && value === 0) return 0;
    const inner = this.inner(value);
    if (!(inner <= this.most * (1 + 1e-9)) || inner < 0) return this.kind === "horizon" || value > 0 ? 1 : -1;
    return inner < this.least * (1 - 1e-9) ? -1 : 0;
  }
  /** Where a value stands, 0 to 1; one that is beyond an end, at that end. */
  share(value) {
    const beyond = this.beyond(value);
    if (beyond > 0) return 1;
    if (value <= 0 && this.kind !== "horizon") return 0;
    const share = Math.log(this.inner(value) / this.least) / Math.log(this.most / this.least);
    return this.room + (1 - this.room) * Math.min(1, Math.max(0, share));
  }
  /** The value at a place: one with few digits. */
  at(share) {
    if (share < this.room / 2) return 0;
    const inside = Math.min(1, Math.max(0, (share - this.room) / (1 - this.room)));
    return this.outer(this.least * (this.most / this.least) ** inside);
  }
  get first() {
    return this.zero ? 0 : this.outer(this.least);
  }
  get last() {
    return this.outer(this.most);
  }
  /** A value so many steps up or down; a value beyond an end is not moved further out, nor any to the end. */
  stepped(value, by) {
    if (this.zero && value === 0 && by > 0) return this.stepped(this.least, by - 1);
    if (this.zero && value < 0) return by > 0 ? 0 : value;
    const inner = this.inner(value), beyond = this.beyond(value);
    if (by < 0 && this.zero && inner <= this.least * (1 + 1e-9)) return 0;
    if (beyond * by > 0) return value;
    if (inner === 0) return this.first;
    if (!Number.isFinite(inner)) return this.last;
    const power = Math.log2(inner), near = by > 0 ? Math.floor(power + 1e-9) : Math.ceil(power - 1e-9);
    const moved = this.kind === "powers" ? 2 ** (near + by) : inner * 10 ** (by / 20);
    if (by > 0) return this.outer(beyond < 0 ? moved : Math.min(this.most, moved));
    return this.outer(beyond > 0 ? moved : Math.max(this.least, moved));
  }
  /** The value that a key of the keyboard leads to, or undefined. */
  keyed(value, key) {
    const page = this.kind === "powers" ? 2 : 10;
    switch (key) {
      case "ArrowRight": case "ArrowUp": return this.stepped(value, 1);
      case "ArrowLeft": case "ArrowDown": return this.stepped(value, -1);
      case "PageUp": return this.stepped(value, page);
      case "PageDown": return this.stepped(value, -page);
      case "Home": return this.first;
      case "End": return this.last;
    }
  }
}

