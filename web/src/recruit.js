// What recruiting platforms put into the page's address, and what they want at the end.
import { element } from "./text.js";

const NAMES = ["assignmentId", "hitId", "workerId", "turkSubmitTo", "PROLIFIC_PID", "STUDY_ID", "SESSION_ID"];
const PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE";

export class Recruit {
  #study;
  #query;

  constructor(study, address) {
    const given = new URL(address).searchParams;
    this.#study = study;
    this.#query = Object.fromEntries(NAMES.filter((name) => given.has(name)).map((name) => [name, given.get(name)]));
  }

  /** For the server. */
  get query() {
    return this.#query;
  }

  /** Who this is, to tell apart people at one browser. */
  get who() {
    return this.#query.workerId || this.#query.PROLIFIC_PID || "";
  }

  /** MTurk shows the task to workers before they accept it. */
  get preview() {
    return this.#study.recruitment === "mturk" && (this.#query.assignmentId ?? PREVIEW) === PREVIEW;
  }

  /** What stands under the completion code: the way back. */
  ending(state) {
    if (this.#study.recruitment === "mturk") return [this.#form(state.code)];
    if (state.completion_url)
      return [element("a", { class: "button", href: state.completion_url, rel: "noreferrer" }, this.#study.wording.finish_button)];
    return [];
  }

  /** MTurk's ExternalQuestion ends with a POST of the assignment to the platform. */
  #form(code) {
    const to = this.#query.turkSubmitTo ?? "";
    if (!this.#study.submit_to.includes(to))
      return element("p", { class: "error" }, "The address that sent you here names no known place to submit to.");
    const field = (name, value) => element("input", { type: "hidden", name, value });
    return element(
      "form",
      { method: "POST", action: `${to}/mturk/externalSubmit` },
      field("assignmentId", this.#query.assignmentId),
      field("completionCode", code),
      element("button", { type: "submit" }, this.#study.wording.submit_button),
    );
  }
}
