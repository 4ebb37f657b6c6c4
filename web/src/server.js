// Talking to the server: every request is tried again until it has an answer.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;
const TIMEOUT_MS = 20000;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** A refusal that trying again won't change; code is the server's word for it. */
export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export class Server {
  #token = null;
  #troubles = 0; // requests that wait
  #kind = ""; // why the last of them does
  #notify;

  /** notify(trouble): "offline" while some request waits for a server that doesn't answer,
   *  "not_stored" while it waits for one that says it can't, "" once none waits. */
  constructor(notify) {
    this.#notify = notify;
  }

  set token(token) {
    this.#token = token;
  }

  /** The answer to a request as parsed JSON. */
  async json(path, body) {
    return (await this.#ask(path, body)).json();
  }

  async blob(path) {
    return (await this.#ask(path)).blob();
  }

  async #ask(path, body) {
    let troubled = false;
    try {
      for (let wait = FIRST_WAIT_MS; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
        const response = await this.#try(path, body);
        if (response && response.ok) return response;
        if (response && response.status !== 429 && response.status < 500) throw await refusal(response);
        this.#trouble(troubled ? 0 : +1, response ? "not_stored" : "offline");
        troubled = true;
        await sleep(wait * (0.75 + Math.random() / 2));
      }
    } finally {
      if (troubled) this.#trouble(-1, this.#kind);
    }
  }

  /** One attempt; null if there is no connection. */
  async #try(path, body) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), TIMEOUT_MS);
    const headers = {};
    if (this.#token) headers.Authorization = `Bearer ${this.#token}`;
    if (body) headers["Content-Type"] = "application/json";
    try {
      const response = await fetch(path, {
        method: body ? "POST" : "GET",
        headers,
        body: body && JSON.stringify(body),
        signal: stop.signal,
      });
      // The body belongs to the attempt: a connection may break within it.
      return new Response(await response.arrayBuffer(), {
        status: response.status,
        headers: response.headers,
      });
    } catch {
      return null;
    } finally {
      clearTimeout(timer);
    }
  }

  #trouble(change, kind) {
    this.#troubles += change;
    this.#kind = kind;
    this.#notify(this.#troubles > 0 ? kind : "");
  }
}

async function refusal(response) {
  const said = await response.json().catch(() => ({}));
  return new Refused(response.status, said.code || "", said.error || `HTTP ${response.status}`);
}
