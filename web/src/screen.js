// A jsPsych plugin: a page of text with a button.
import { ParameterType } from "jspsych";
import { element } from "./text.js";

const info = {
  name: "screen",
  version: "1.0.0",
  parameters: {
    title: { type: ParameterType.STRING, default: "" },
    paragraphs: { type: ParameterType.STRING, array: true },
    /** Label of the button; none: the page stays. */
    button: { type: ParameterType.STRING, default: "" },
    /** Elements to stand under the text. */
    extra: { type: ParameterType.COMPLEX, default: [] },
    /** Called when the button is pressed; the page waits for its promise, and shows its error. */
    action: { type: ParameterType.COMPLEX, default: null },
  },
  data: {},
};

export class ScreenPlugin {
  static info = info;

  constructor(jsPsych) {
    this.jsPsych = jsPsych;
  }

  trial(display, trial) {
    const text = element("div", { class: "text", tabIndex: -1 });
    if (trial.title) text.append(element("h1", {}, trial.title));
    for (const paragraph of trial.paragraphs) text.append(element("p", {}, paragraph));
    text.append(...trial.extra);
    if (trial.button) text.append(this.#button(trial));
    display.replaceChildren(text);
    window.scrollTo(0, 0);
    text.focus({ preventScroll: true }); // not the button: a key held down mustn't press it
  }

  #button(trial) {
    const error = element("p", { class: "error" });
    error.setAttribute("role", "alert");
    const button = element("button", { type: "button" }, trial.button);
    button.onclick = async () => {
      button.disabled = true;
      error.textContent = "";
      try {
        await trial.action?.();
        this.jsPsych.finishTrial({});
      } catch (refused) {
        error.textContent = refused.message;
        button.disabled = false;
      }
    };
    return element("div", {}, error, button);
  }
}
