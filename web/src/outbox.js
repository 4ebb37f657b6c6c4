// Answers on their way to the server: in order, one at a time, each kept until the server has said
// that it is stored.

export class Outbox {
  #server;
  #keep;
  #waiting; // [{trial, resolve, reject}]
  #sending = null;

  constructor(server, keep) {
    this.#server = server;
    this.#keep = keep;
    this.#waiting = [];
  }

  /** Answers that an earlier page left behind and that the server, at trial next, hasn't seen. */
  async recover(next) {
    const left = (this.#keep.get("outbox") || []).filter((trial) => trial.n >= next);
    for (const trial of left) this.put(trial).catch(() => {});
    await this.empty();
  }

  /** Resolves to the server's acknowledgement. */
  put(trial) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ trial, resolve, reject });
      this.#save();
      this.#sending ??= this.#send();
    });
  }

  /** Resolves once nothing is on its way. */
  async empty() {
    while (this.#sending) await this.#sending;
  }

  async #send() {
    while (this.#waiting.length > 0) {
      const { trial, resolve, reject } = this.#waiting[0];
      try {
        resolve(await this.#server.json("api/trial", trial));
      } catch (refused) {
        reject(refused);
      }
      this.#waiting.shift();
      this.#save();
    }
    this.#sending = null;
  }

  #save() {
    this.#keep.set("outbox", this.#waiting.map((entry) => entry.trial));
  }
}
