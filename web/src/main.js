// The participant's page: one loop of jsPsych over what the director says.
import { initJsPsych } from "jspsych";
import { Director } from "./director.js";
import { Images } from "./images.js";
import { Keep } from "./keep.js";
import { Outbox } from "./outbox.js";
import { Recruit } from "./recruit.js";
import { RingPlugin } from "./ring.js";
import { ScreenPlugin } from "./screen.js";
import { Server } from "./server.js";

let wording = { offline: "The connection is lost.", not_stored: "Please wait." }; // until the author's is here

function notify(trouble) {
  const notice = document.getElementById("notice");
  notice.textContent = trouble ? wording[trouble] : "";
  notice.hidden = !trouble;
}

function showProgress(share) {
  const bar = document.getElementById("progress");
  const percent = Math.round(100 * share);
  bar.setAttribute("aria-valuenow", percent);
  bar.firstElementChild.style.width = `${percent}%`;
}

/** Parameters are functions, so that jsPsych asks for them when the step begins. */
function step(plugin, names, of, current) {
  const parameters = Object.fromEntries(names.map((name) => [name, () => current()[of][name]]));
  return { timeline: [{ type: plugin, ...parameters }], conditional_function: () => of in current() };
}

/** Functions among the parameters are wrapped, since jsPsych calls those it finds. */
function timeline(director) {
  let next = null;
  const begin = () => {
    next = director.next();
    showProgress(director.progress);
    return true;
  };
  const wrapped = (plugin, names, of, callback) => {
    const made = step(plugin, names, of, () => next);
    made.timeline[0][callback] = () => next[of][callback];
    return made;
  };
  return {
    timeline: [
      wrapped(ScreenPlugin, ["title", "paragraphs", "button", "extra"], "screen", "action"),
      wrapped(RingPlugin, ["classes", "question", "ring", "image", "smooth", "trouble"], "trial", "answer"),
    ],
    conditional_function: begin,
    loop_function: begin,
  };
}

async function main() {
  const server = new Server(notify);
  const study = await server.json("api/study");
  wording = study.wording;
  document.title = study.title;
  document.documentElement.lang = study.language;
  const recruit = new Recruit(study, location.href);
  const keep = new Keep(recruit.who);
  const outbox = new Outbox(server, keep);
  const director = new Director({ study, server, recruit, keep, outbox, images: new Images(server) });
  if (!recruit.preview) await director.resume();
  await initJsPsych({ display_element: "stage" }).run([timeline(director)]);
}

main();
