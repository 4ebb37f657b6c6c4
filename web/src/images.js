// The images of the next trials, fetched and decoded before they are needed.

const AHEAD = 8;

export class Images {
  #server;
  #ready = new Map(); // trial -> promise of an <img>

  constructor(server) {
    this.#server = server;
  }

  /** The image of trial n; those up to planned are fetched ahead. */
  get(n, planned) {
    for (const old of this.#ready.keys()) if (old < n) this.#forget(old);
    for (let i = n; i < Math.min(n + AHEAD, planned); i++) {
      if (!this.#ready.has(i)) this.#ready.set(i, this.#load(i));
    }
    return this.#ready.get(n);
  }

  /** Who asks again after a failure has it fetched again. */
  #load(n) {
    const image = this.#fetch(n);
    image.catch(() => this.#ready.delete(n));
    return image;
  }

  async #fetch(n) {
    const image = new Image();
    image.src = URL.createObjectURL(await this.#server.blob(`api/image/${n}`));
    image.alt = "";
    image.draggable = false;
    try {
      await image.decode();
    } catch (error) {
      URL.revokeObjectURL(image.src);
      throw error;
    }
    return image;
  }

  #forget(n) {
    this.#ready.get(n).then((image) => URL.revokeObjectURL(image.src), () => {});
    this.#ready.delete(n);
  }
}
