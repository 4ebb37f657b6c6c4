// What must outlive a reload. Where the browser keeps nothing (some frames, private windows) it
// lives as long as the page; the server knows the rest.

export class Keep {
  #prefix;
  #memory = new Map();

  /** who: the participant's id by recruiting, so that two people at one browser don't mix. */
  constructor(who) {
    this.#prefix = `softlabel:${location.pathname}:${who}:`;
  }

  get(name) {
    try {
      const text = localStorage.getItem(this.#prefix + name);
      if (text !== null) return JSON.parse(text);
    } catch {
      // not allowed, or not ours
    }
    return this.#memory.get(name) ?? null;
  }

  set(name, value) {
    this.#memory.set(name, value);
    try {
      localStorage.setItem(this.#prefix + name, JSON.stringify(value));
    } catch {
      // full or not allowed
    }
  }

  clear() {
    for (const name of ["token", "outbox"]) {
      this.#memory.delete(name);
      try {
        localStorage.removeItem(this.#prefix + name);
      } catch {
        // not allowed
      }
    }
  }
}
