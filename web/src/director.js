// What comes next for the participant. The server decides; this keeps its word and turns it into
// screens and trials.
import { element, fill, spoken } from "./text.js";
import { Refused } from "./server.js";

export class Director {
  #study;
  #server;
  #outbox;
  #images;
  #recruit;
  #keep;
  #state = null; // the server's last word
  #next = 0; // the trial to be shown; ahead of the server's while answers are on their way
  #loaded = performance.now();
  #announced = new Set(); // texts that were shown, by place
  #closing = null; // why nobody takes part here

  constructor(parts) {
    this.#study = parts.study;
    this.#server = parts.server;
    this.#outbox = parts.outbox;
    this.#images = parts.images;
    this.#recruit = parts.recruit;
    this.#keep = parts.keep;
  }

  /** Goes on where an earlier page stopped, if there was one. */
  async resume() {
    const token = this.#keep.get("token");
    if (!token) return;
    this.#server.token = token;
    try {
      this.#take(await this.#server.json("api/state"));
      await this.#outbox.recover(this.#state.next);
      await this.#refresh();
    } catch (refused) {
      if (!(refused instanceof Refused)) throw refused;
      this.#server.token = null; // of another study, or a new database
      this.#keep.clear();
      this.#state = null;
    }
  }

  /** Done and to be done, for the bar. */
  get progress() {
    const { phase, first } = this.#state ?? {};
    const practice = this.#study.practice_blocks * this.#study.practice_images;
    const total = practice + this.#study.trials;
    if (phase === "practice")
      return (this.#state.block * this.#study.practice_images + (this.#next - first)) / total;
    if (phase === "task") return (practice + this.#next - first) / total;
    return this.#state ? 1 : 0;
  }

  /** {screen: ...} or {trial: ...}, as the plugins' parameters. */
  next() {
    if (this.#recruit.preview) return { screen: this.#screen("preview", { also: "consent" }) };
    if (this.#closing) return { screen: this.#screen(this.#closing) };
    if (!this.#state) return { screen: this.#consent() };
    switch (this.#state.phase) {
      case "practice":
        return this.#practice();
      case "task":
        return this.#task();
      case "done":
        return { screen: this.#end() };
      default:
        return { screen: this.#screen("practice_excluded") };
    }
  }

  // ---- screens ----

  #screen(name, { button, action, title, also, values = {}, extra = [] } = {}) {
    const study = this.#study;
    const known = {
      title: study.title,
      payment: study.payment,
      images: study.images,
      trials: study.trials,
      practice_blocks: study.practice_blocks,
      practice_images: study.practice_images,
      practice_trials: study.practice_blocks * study.practice_images,
      practice_pass: Math.round(100 * study.practice_pass),
      ...values,
    };
    const texts = [...study.wording[name], ...(also ? study.wording[also] : [])];
    return {
      title: title ?? "",
      paragraphs: texts.map((text) => fill(text, known)),
      button: button ? study.wording[button] : "",
      action,
      extra,
    };
  }

  #consent() {
    return this.#screen("consent", {
      title: this.#study.title,
      button: "consent_button",
      action: () => this.#join(),
    });
  }

  async #join() {
    try {
      const state = await this.#server.json("api/join", { consent: true, query: this.#recruit.query });
      this.#server.token = state.token;
      this.#keep.set("token", state.token);
      this.#keep.set("outbox", []);
      this.#take(state);
    } catch (refused) {
      if (refused.code !== "full" && refused.code !== "already") throw refused;
      this.#closing = refused.code;
    }
  }

  #end() {
    const code = element("p", { class: "code" }, this.#state.code);
    const label = element("p", {}, this.#study.wording.code);
    return this.#screen("debriefing", {
      title: this.#study.title,
      extra: [label, code, ...this.#recruit.ending(this.#state)],
    });
  }

  // ---- trials ----

  /** The texts before a trial, each once; then the trial. */
  #practice() {
    const { first, failed } = this.#state;
    if (this.#next === 0 && this.#once("instructions")) return this.#text("instructions", "instructions_button");
    if (this.#next > first || !this.#once(`practice ${first}`)) return this.#trial();
    if (failed) return this.#text("practice_failed", "continue_button", failed);
    return first === 0 ? this.#text("practice", "continue_button") : this.#trial();
  }

  #task() {
    const done = this.#next - this.#state.first;
    if (this.#next === 0 && this.#once("instructions"))
      return this.#text("instructions", "instructions_button");
    if (done === 0 && this.#once("task")) return this.#text("task", "continue_button");
    const pause = this.#study.pause_every > 0 && done > 0 && done % this.#study.pause_every === 0;
    if (pause && this.#once(`pause ${done}`)) return this.#text("pause", "continue_button");
    return this.#trial();
  }

  #text(name, button, values) {
    return { screen: this.#screen(name, { button, values }) };
  }

  #once(what) {
    const first = !this.#announced.has(what);
    this.#announced.add(what);
    return first;
  }

  #trial() {
    const n = this.#next;
    return {
      trial: {
        classes: this.#study.classes,
        question: this.#study.title,
        ring: this.#state.ring,
        smooth: this.#study.smooth,
        image: { load: () => this.#images.get(n, this.#state.planned) },
        trouble: { text: this.#study.wording.image_failed, button: this.#study.wording.retry_button },
        answer: (response) => this.#answer(n, response),
      },
    };
  }

  /** In practice the answer is waited for and told; in the task it goes its way meanwhile. */
  async #answer(n, { choice, rt_ms }) {
    const elapsed_ms = this.#state.elapsed_ms + performance.now() - this.#loaded;
    const stored = this.#outbox.put({ n, choice, rt_ms, elapsed_ms });
    this.#next = n + 1;
    const over = this.#next === this.#state.planned;
    if (this.#state.phase === "task") {
      stored.catch((refused) => this.#conflict(refused));
      if (over) {
        await this.#outbox.empty();
        await this.#refresh();
      }
      return null;
    }
    const { truth } = await stored.catch((refused) => this.#conflict(refused));
    if (over) await this.#refresh();
    if (truth === undefined) return null;
    const right = truth === choice;
    const text = right ? this.#study.wording.right : this.#study.wording.wrong;
    return { right, truth, text: fill(text, { answer: spoken(this.#study.classes[truth]) }) };
  }

  /** Another page of the same participant was faster: go on where the server is. */
  async #conflict(refused) {
    if (!(refused instanceof Refused)) throw refused;
    await this.#refresh();
    return {};
  }

  async #refresh() {
    this.#take(await this.#server.json("api/state"));
  }

  #take(state) {
    this.#state = state;
    this.#next = state.next;
    this.#loaded = performance.now();
  }
}
