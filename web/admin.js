// The dashboard: asks for the status every few seconds and shows it, as text only.
"use strict";

const EVERY_MS = 2000;
const STATES = { task: "in the task", practice: "in practice", failed: "failed attention", excluded: "failed practice" };
const at = (id) => document.getElementById(id);
const percent = (share) => (share === undefined ? "" : `${(100 * share).toFixed(1)} %`);

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function facts(id, pairs) {
  at(id).replaceChildren(
    ...pairs.map(([name, value]) => {
      const pair = element("div");
      pair.append(element("dt", name), element("dd", value));
      return pair;
    }),
  );
}

const pictures = new Map(); // by number: the table is made anew every time, and they needn't be fetched

function picture({ number, image }) {
  if (!pictures.has(number)) {
    const made = element("img");
    made.src = `/admin/image/${number}`;
    made.alt = image;
    pictures.set(number, made);
  }
  return pictures.get(number);
}

/** cells: text, an element, or [text, class]; none: what stands in place of an empty table. */
function table(id, head, rows, none) {
  const line = (cells, tag) => {
    const row = element("tr");
    row.append(...cells.map((cell) => {
      if (!(cell instanceof Element)) return Array.isArray(cell) ? element(tag, ...cell) : element(tag, cell);
      const around = element(tag);
      around.append(cell);
      return around;
    }));
    return row;
  };
  at(id).replaceChildren(...(rows.length ? [line(head, "th"), ...rows.map((cells) => line(cells, "td"))] : [line([none], "td")]));
}

function histogram({ histogram, target }) {
  const most = Math.max(1, ...histogram.map(([, images]) => images));
  const every = Math.ceil(histogram.length / 25); // labels
  at("histogram").replaceChildren(
    ...histogram.map(([judgments, images], i) => {
      const bar = element("div", undefined, judgments >= target ? "enough" : "");
      bar.style.height = `${(100 * images) / most}%`;
      bar.title = `${many(images, "image", "images")} with ${many(judgments, "judgment", "judgments")}`;
      if (i % every === 0) bar.append(element("span", judgments));
      return bar;
    }),
  );
}

function many(n, one, several) {
  return `${n} ${n === 1 ? one : several}`;
}

function show(status) {
  const { participants, judgments, estimate, people, ambiguous } = status;
  at("title").textContent = status.title;
  document.title = `${status.title}: dashboard`;
  facts("participants", [
    ["passed", participants.passed],
    ["in the task", participants.task],
    ["in practice", participants.practice],
    ["failed attention", participants.failed],
    ["failed practice", participants.excluded],
    ["left", participants.left],
    ["mean accuracy", percent(status.accuracy?.mean)],
    ["median minutes", status.median_minutes?.toFixed(1) ?? ""],
  ]);
  facts("judgments", [
    ["usable", judgments.usable],
    ["per image", `${judgments.least} to ${judgments.most}`],
    ["mean", judgments.mean.toFixed(1)],
    ["target", judgments.target],
    ["images at target", `${judgments.at_target} of ${judgments.images}`],
  ]);
  histogram(judgments);
  facts("estimate", [
    ["still missing", estimate.judgments_missing],
    ["judgments in the last hour", estimate.judgments_an_hour],
    ["hours left", estimate.hours_left?.toFixed(1) ?? ""],
    ["paid so far", `${estimate.paid.toFixed(2)} ${estimate.currency}`],
    ["expected in all", `${estimate.cost.toFixed(2)} ${estimate.currency}`],
  ]);
  table("ambiguous", ["", "image", "judgments", "bits", "choices"], ambiguous.map((image) => [
    picture(image),
    image.image,
    image.judgments,
    image.bits.toFixed(2),
    Object.entries(image.choices).sort((a, b) => b[1] - a[1]).map(([name, n]) => `${name} ${n}`).join(", "),
  ]), "no image with enough judgments yet that people disagree about");
  table("people", ["participant", "state", "answered", "accuracy", "attention", "minutes"], people.map((person) => [
    person.participant,
    [STATES[person.state] ?? person.state, person.state === "failed" ? "bad" : ""],
    `${person.answered} of ${person.of}`,
    percent(person.accuracy),
    [`${person.checks_right} of ${person.checks}`, person.checks_right < person.checks ? "bad" : ""],
    person.minutes.toFixed(1),
  ]), "nobody yet");
}

async function refresh() {
  try {
    const response = await fetch("/admin/status.json");
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const status = await response.json();
    show(status);
    at("when").textContent = `as of ${new Date(status.time_ms).toLocaleTimeString()}`;
    at("when").className = "";
  } catch (error) {
    at("when").textContent = `no answer from the server: ${error.message}`;
    at("when").className = "stale";
  }
  setTimeout(refresh, EVERY_MS);
}

refresh();
