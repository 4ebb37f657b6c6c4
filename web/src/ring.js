// A jsPsych plugin: an image in the middle of a ring of labels, one of which is pressed.
import { ParameterType } from "jspsych";
import { element, spoken } from "./text.js";

const RADIUS = 0.4; // of the circle of the discs' centres, in sides of the square
const IMAGE = 0.2; // the image's side: a quarter of that circle's diameter
const GAP = 0.77; // a disc's diameter, in distances of neighbouring centres
const LARGEST_DISC = 0.19;
const MARGIN = 0.05; // left of a label and right of it, in diameters of the disc
const LARGEST_SIDE = 720; // pixels of the square
const RIGHT_MS = 700; // how long feedback stays
const WRONG_MS = 1600;

const info = {
  name: "ring",
  version: "1.0.0",
  parameters: {
    /** Names of the classes. */
    classes: { type: ParameterType.STRING, array: true },
    /** What is asked, for screen readers. */
    question: { type: ParameterType.STRING },
    /** The class at each place of the ring, clockwise from the top. */
    ring: { type: ParameterType.INT, array: true },
    /** load() promises the image, decoded; may be asked again when that failed. */
    image: { type: ParameterType.OBJECT },
    /** What stands in the image's place then, and on the button to try again: {text, button}. */
    trouble: { type: ParameterType.OBJECT },
    /** Whether to smooth the enlarged image. */
    smooth: { type: ParameterType.BOOL, default: false },
    /** Called with {choice, rt_ms}; may return a promise of {right, text, truth} to be shown. */
    answer: { type: ParameterType.COMPLEX },
  },
  data: {
    response: { type: ParameterType.INT },
    rt: { type: ParameterType.FLOAT },
  },
};

export class RingPlugin {
  static info = info;

  constructor(jsPsych) {
    this.jsPsych = jsPsych;
  }

  async trial(display, trial) {
    const ring = draw(trial);
    const fit = () => lay(ring, trial.ring.length);
    display.replaceChildren(ring.root);
    fit();
    window.addEventListener("resize", fit);
    try {
      ring.root.focus({ preventScroll: true });
      ring.image = await load(ring, trial);
      ring.image.className = trial.smooth ? "image" : "image sharp";
      ring.root.append(ring.image);
      fit();
      const shown = await paint(ring.image);
      const { place, pressed } = await press(ring);
      const response = { choice: trial.ring[place], rt_ms: Math.max(0, pressed - shown) };
      const feedback = await trial.answer(response);
      if (feedback) await show(ring, trial.ring, response.choice, feedback, fit);
      this.jsPsych.finishTrial({ response: place, rt: response.rt_ms });
    } finally {
      window.removeEventListener("resize", fit);
    }
  }
}

/** The image, however often somebody has to try. */
async function load(ring, { image, trouble }) {
  for (;;) {
    try {
      return await image.load();
    } catch {
      await told(ring, trouble);
    }
  }
}

/** Says that there is no image; resolves when the button is pressed. */
async function told({ root }, { text, button }) {
  const again = element("button", { type: "button" }, button);
  const box = element("div", { class: "trouble" }, element("p", {}, text), again);
  box.setAttribute("role", "alert");
  root.append(box);
  again.focus({ preventScroll: true });
  await new Promise((pressed) => (again.onclick = pressed));
  box.remove();
  root.focus({ preventScroll: true });
}

/** Discs in the order of the ring; no image yet. */
function draw({ classes, ring, question }) {
  const discs = ring.map((k) => element("button", { class: "disc", type: "button" }, spoken(classes[k])));
  const feedback = element("p", { class: "feedback" });
  feedback.setAttribute("aria-live", "polite");
  const root = element("div", { class: "ring", tabIndex: -1 }, ...discs, feedback);
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", question);
  walk(root, discs);
  return { root, discs, feedback, image: null };
}

/** Arrow keys go round; the first one lands on top, so that no label is favoured before. */
function walk(root, discs) {
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  root.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const at = discs.indexOf(document.activeElement);
    const to = at < 0 ? 0 : (at + step + discs.length) % discs.length;
    discs[to].focus({ preventScroll: true });
  });
}

/** Sizes and places, for the window as it is now. */
function lay({ root, discs, image, feedback }, n) {
  const side = Math.min(window.innerWidth, window.innerHeight - 20, LARGEST_SIDE);
  const apart = 2 * RADIUS * Math.sin(Math.PI / n); // of neighbouring centres
  const disc = side * Math.min(LARGEST_DISC, GAP * apart);
  Object.assign(root.style, px({ width: side, height: side, marginLeft: -side / 2, marginTop: -side / 2 }));
  discs.forEach((button, place) => {
    const angle = (2 * Math.PI * place) / n - Math.PI / 2;
    const x = side / 2 + side * RADIUS * Math.cos(angle);
    const y = side / 2 + side * RADIUS * Math.sin(angle);
    Object.assign(button.style, px({ left: x, top: y, width: disc, height: disc }));
    button.style.padding = `0 ${disc * MARGIN}px`;
    button.style.fontSize = `${fontSize(button, disc)}px`;
  });
  const size = imageSize(image, side * IMAGE);
  if (image) Object.assign(image.style, px({ left: side / 2, top: side / 2, width: size, height: size }));
  Object.assign(feedback.style, px({ left: side / 2, top: side / 2 + size / 2 + side * 0.02 }));
  feedback.style.fontSize = `${Math.max(15, side * 0.026)}px`;
}

const pen = document.createElement("canvas").getContext("2d");

/** Small and bold, and the widest word within the disc, whatever font this browser has. */
function fontSize(button, disc) {
  const drawn = 100; // pixels
  pen.font = `bold ${drawn}px ${getComputedStyle(button).fontFamily}`;
  const words = button.textContent.split(/[\s-]+/);
  const widest = Math.max(...words.map((word) => pen.measureText(word).width)) / drawn;
  return Math.max(8, Math.min(0.155 * disc, 16, (0.98 * (1 - 2 * MARGIN) * disc) / widest));
}

/** Small images are enlarged by a whole number of device pixels a pixel, so that all are equal. */
function imageSize(image, wanted) {
  const pixels = image ? Math.max(image.naturalWidth, image.naturalHeight) / window.devicePixelRatio : 0;
  return pixels > 0 && pixels <= wanted ? Math.round(wanted / pixels) * pixels : wanted;
}

function px(lengths) {
  return Object.fromEntries(Object.entries(lengths).map(([name, length]) => [name, `${length}px`]));
}

const frame = () => new Promise((painted) => requestAnimationFrame(painted));

/** Shows the image; resolves to the time of the first frame after the one that painted it. */
async function paint(image) {
  await frame();
  image.classList.add("shown");
  return frame();
}

/** Resolves when a disc is pressed, by pointer, touch or key. */
function press({ discs }) {
  return new Promise((resolve) => {
    discs.forEach((disc, place) => {
      disc.onclick = (event) => {
        for (const other of discs) other.onclick = null;
        resolve({ place, pressed: event.timeStamp || performance.now() });
      };
    });
  });
}

async function show({ discs, feedback }, ring, choice, { right, text, truth }, fit) {
  if (!right) discs[ring.indexOf(choice)].classList.add("wrong");
  discs[ring.indexOf(truth)].classList.add("right");
  feedback.textContent = text;
  feedback.classList.add(right ? "right" : "wrong");
  fit();
  await new Promise((done) => setTimeout(done, right ? RIGHT_MS : WRONG_MS));
}
