// A real browser takes part in studies: by mouse, by touch, by keyboard; with reloads, a killed
// server, MTurk's frame and Prolific's way back.
//
//   node browser.mjs SOFTLABEL [FOLDER [TEST...]]      FOLDER: screenshots of each page go there
//
// Exit code 77, saying why, where there is no Chromium, no playwright-core or no page in the build.
import assert from "node:assert/strict";
import { spawn, execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import zlib from "node:zlib";

const [softlabel, shots, ...only] = process.argv.slice(2);
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

function skip(why) {
  console.log(`skipped: ${why}`);
  process.exit(77);
}

// ---- a study of coloured squares, whose classes can be told from the screen ----

const COLOURS = [
  ["red", 220, 30, 30], ["green", 30, 160, 50], ["blue", 40, 60, 220], ["yellow", 240, 220, 40],
  ["black", 10, 10, 10], ["white", 245, 245, 245], ["orange", 250, 140, 20], ["pink", 250, 150, 190],
  ["automobile", 120, 80, 40], ["<img src=x onerror=window.hit=1>", 120, 120, 120],
];

function chunk(type, data) {
  const out = Buffer.alloc(data.length + 12);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, "latin1");
  data.copy(out, 8);
  out.writeInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
  return out;
}

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}

/** 32x32 of one colour, with a mark that tells image i from the others of its colour. */
function png([, r, g, b], i) {
  const lines = Buffer.alloc(32 * 97);
  for (let y = 0; y < 32; y++)
    for (let x = 0; x < 32; x++) lines.set(y === 0 && x === i ? [90, 90, 90] : [r, g, b], y * 97 + 1 + 3 * x);
  const header = Buffer.from([0, 0, 0, 32, 0, 0, 0, 32, 8, 2, 0, 0, 0]);
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", header),
    chunk("IDAT", zlib.deflateSync(lines)), chunk("IEND", Buffer.alloc(0))]);
}

function makeStudy(change = {}) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "softlabel-browser-"));
  execFileSync(softlabel, ["study", "new", dir, "--folder", ".", "--images", "20", "--quiet"]);
  for (const [pool, each] of [["images", 2], ["practice", 3], ["attention", 1]])
    for (const colour of COLOURS) {
      fs.mkdirSync(path.join(dir, pool, colour[0]), { recursive: true });
      for (let i = 0; i < each; i++) fs.writeFileSync(path.join(dir, pool, colour[0], `${i}.png`), png(colour, i));
    }
  const file = path.join(dir, "study.json");
  const study = JSON.parse(fs.readFileSync(file, "utf8"));
  study.classes = COLOURS.map(([name]) => name);
  Object.assign(study.practice, { blocks: 1, images_per_block: 10 });
  Object.assign(study.attention, { every: 5 });
  Object.assign(study.task, { pause_every: 12 });
  Object.assign(study, change);
  fs.writeFileSync(file, JSON.stringify(study));
  return dir;
}

/** A change to it: no practice. */
const QUICK = { practice: { blocks: 0, images_per_block: 1, pass: 0.75, max_attempts: 1 } };

// ---- the server ----

class Site {
  constructor(dir) {
    this.dir = dir;
    this.port = 0;
  }

  async start() {
    this.process = spawn(softlabel, ["study", "serve", this.dir, "--port", String(this.port), "--json"],
      { stdio: ["ignore", "pipe", "inherit"] });
    process.once("exit", () => this.process.kill("SIGKILL")); // a failed test leaves no server behind
    let said = "";
    for await (const part of this.process.stdout) {
      said += part;
      if (said.includes("}")) break;
    }
    const { url, password } = JSON.parse(said);
    Object.assign(this, { url, password, port: Number(new URL(url).port) });
    return this;
  }

  async stop(signal = "SIGTERM") {
    const ended = once(this.process, "exit");
    this.process.kill(signal);
    const [code] = await ended;
    if (signal === "SIGTERM") assert.equal(code, 0, "the server ends well");
  }

  async remove() {
    await this.stop();
    fs.rmSync(this.dir, { recursive: true });
  }

  get rows() {
    const csv = execFileSync(softlabel, ["study", "export", this.dir, "--who", "all", "--quiet"]).toString();
    const [head, ...lines] = csv.trim().split("\n");
    const names = head.split(",");
    return lines.map((line) => Object.fromEntries(line.split(",").map((value, i) => [names[i], value])));
  }
}

// ---- a participant ----

class Person {
  /** frame: where the study is in the page, if not in all of it. */
  constructor(page, name, frame = page) {
    this.page = page;
    this.frame = frame;
    this.name = name;
    this.shot = 0;
    page.setDefaultTimeout(120000); // a busy machine is slow, not wrong
    page.on("pageerror", (error) => assert.fail(`${name}: ${error.message}`));
  }

  async look(what) {
    if (!shots) return;
    const file = `${this.name}-${String(this.shot++).padStart(2, "0")}-${what}.png`;
    await this.page.screenshot({ path: path.join(shots, file) });
  }

  press = (locator) => locator.click();

  /** The frame to run code in. */
  async #inside() {
    if (this.frame === this.page) return this.page;
    return (await this.frame.owner().elementHandle()).contentFrame();
  }

  async text(part, button) {
    await this.frame.locator(".text", { hasText: part }).waitFor();
    await this.look(part.replace(/\W+/g, "-").toLowerCase());
    if (button) await this.press(this.frame.locator(".text button", { hasText: button }));
  }

  /** The next trial: its image's mark and colour, as they are on the screen. */
  async trial() {
    await this.frame.locator(".image.shown").waitFor();
    return (await this.#inside()).evaluate((colours) => {
      const image = document.querySelector(".image.shown");
      const canvas = Object.assign(document.createElement("canvas"), { width: 32, height: 32 });
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      const [r, g, b] = context.getImageData(16, 16, 1, 1).data;
      const labels = [...document.querySelectorAll(".disc")].map((disc) => disc.textContent);
      const name = colours.find((colour) => colour[1] === r && colour[2] === g && colour[3] === b)[0];
      return { name, source: image.src, labels, place: labels.indexOf(name) };
    }, COLOURS);
  }

  /** Answers it and waits until another stands there, or a text. */
  async answer(rightly = true) {
    const { place, labels, source } = await this.trial();
    assert.notEqual(place, -1);
    await this.press(this.frame.locator(".disc").nth(rightly ? place : (place + 1) % labels.length));
    await (await this.#inside()).waitForFunction((old) => {
      const image = document.querySelector(".image.shown");
      return document.querySelector(".text") || (image && image.src !== old);
    }, source);
  }

  /** The next feedback, however short it stands there. */
  told() {
    return this.page.evaluate(() => new Promise((resolve) => {
      const look = () => document.querySelector(".feedback")?.textContent && resolve(document.querySelector(".feedback").textContent);
      new MutationObserver(look).observe(document.body, { subtree: true, childList: true });
    }));
  }

  async answers(n, rightly) {
    for (let i = 0; i < n; i++) await this.answer(rightly);
  }

  async untilPractice() {
    await this.text("You are invited", "I agree");
    await this.text("Press the label", "Continue");
    await this.text("First some practice", "Continue");
  }

  /** The task's 24 trials with its pause, from trial done on. */
  async task(done = 0) {
    await this.answers(12 - done);
    await this.text("short break", "Continue");
    await this.answers(12);
  }
}

// ---- what figure 1a shows ----

async function checkRing(person) {
  const { width, height } = person.page.viewportSize();
  const ring = await person.page.evaluate(() => {
    const box = (element) => {
      const { left, top, width, height } = element.getBoundingClientRect();
      return { x: left + width / 2, y: top + height / 2, width, height };
    };
    /** Whether a label of one word stands in several lines. */
    const broken = (disc) => {
      const range = document.createRange();
      range.selectNodeContents(disc);
      return range.getClientRects().length > 1 && /^\w+$/.test(disc.textContent);
    };
    const discs = [...document.querySelectorAll(".disc")];
    const style = getComputedStyle(discs[0]);
    return {
      discs: discs.map(box),
      overflow: discs.filter((disc) => disc.scrollWidth > disc.clientWidth + 1 || broken(disc)).map((disc) => disc.textContent),
      image: box(document.querySelector(".image")),
      rendering: getComputedStyle(document.querySelector(".image")).imageRendering,
      page: getComputedStyle(document.body).backgroundColor,
      disc: style.backgroundColor,
      colour: style.color,
      weight: style.fontWeight,
      radius: style.borderRadius,
      ratio: window.devicePixelRatio,
      hit: window.hit,
    };
  });
  const close = (a, b, what) => assert.ok(Math.abs(a - b) <= 1.5, `${what}: ${a} and ${b}`);
  const { image, discs } = ring;
  assert.equal(discs.length, 10);
  close(image.x, width / 2, "the image is in the middle");
  close(image.y, height / 2, "the image is in the middle");
  const radius = Math.hypot(discs[0].x - image.x, discs[0].y - image.y);
  discs.forEach((disc, place) => {
    const angle = (2 * Math.PI * place) / 10 - Math.PI / 2;
    close(disc.x, image.x + radius * Math.cos(angle), "evenly spaced on a circle");
    close(disc.y, image.y + radius * Math.sin(angle), "evenly spaced on a circle");
    close(disc.width, discs[0].width, "equal discs");
    close(disc.height, disc.width, "round discs");
    assert.ok(disc.x - disc.width / 2 >= 0 && disc.x + disc.width / 2 <= width, "within the screen");
    assert.ok(disc.y - disc.height / 2 >= 0 && disc.y + disc.height / 2 <= height, "within the screen");
  });
  assert.ok(2 * radius * Math.sin(Math.PI / 10) > discs[0].width, "discs don't touch");
  assert.ok(discs[0].width >= 44, "large enough for a finger");
  const share = image.width / (2 * radius);
  assert.ok(share > 0.2 && share < 0.3, `the image is about a quarter of the ring's diameter: ${share}`);
  assert.equal((image.width * ring.ratio) % 32, 0, "every pixel is enlarged alike");
  assert.equal(ring.rendering, "pixelated");
  assert.equal(ring.page, "rgb(255, 255, 255)");
  assert.equal(ring.colour, "rgb(0, 0, 0)");
  assert.equal(ring.weight, "700");
  assert.equal(ring.radius, "50%");
  const [r, g, b] = ring.disc.match(/\d+/g).map(Number);
  assert.ok(r === g && g === b && r > 150 && r < 220, `grey discs: ${ring.disc}`);
  assert.deepEqual(ring.overflow, [], "labels fit");
  assert.equal(ring.hit, undefined, "a class's name is text");
}

/** A notice covers no label and not the image. */
async function checkNotice(person) {
  const covered = await person.page.evaluate(() => {
    const notice = document.querySelector("#notice").getBoundingClientRect();
    return [...document.querySelectorAll(".disc, .image")].filter((element) => {
      const box = element.getBoundingClientRect(), r = box.width / 2;
      const dx = Math.max(notice.left - box.left - r, 0, box.left + r - notice.right);
      const dy = Math.max(notice.top - box.top - r, 0, box.top + r - notice.bottom);
      return Math.hypot(dx, dy) < r;
    }).length;
  });
  assert.equal(covered, 0, "the notice covers nothing");
}

// ---- the tests ----

async function wholeStudy(browser) {
  const site = await new Site(makeStudy()).start();
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const person = new Person(await context.newPage(), "desktop");
  await person.page.goto(site.url);
  await person.untilPractice();
  await person.trial();
  await person.page.mouse.move(2, 2);
  await person.look("ring");
  await checkRing(person);
  await person.answers(2, false);
  await person.answers(8, false);
  await person.text("You had 0 of 10 right", "Continue");
  await person.answers(9, true);
  await person.trial();
  const { place } = await person.trial();
  const told = person.told();
  await person.press(person.page.locator(".disc").nth(place));
  assert.equal(await told, "Right");
  await person.look("feedback");
  await person.text("The practice is over", "Continue");

  await person.answers(5);
  const before = await person.trial();
  await person.page.reload();
  const after = await person.trial();
  assert.deepEqual(after.labels, before.labels, "the ring stays");
  assert.equal(after.name, before.name, "the same trial comes again");

  // The server dies; answers are kept, and sent when it is back.
  await site.stop("SIGKILL");
  await person.answers(2);
  await person.page.locator("#notice", { hasText: "connection is lost" }).waitFor();
  await checkNotice(person);
  await person.look("offline");
  await site.start();
  await person.page.locator("#notice").waitFor({ state: "hidden" });
  assert.equal(await person.page.locator(".code").count(), 0, "no code before the end");
  await person.task(7);
  await person.text("Thank you! You have finished", null);
  assert.match(await person.page.locator(".code").textContent(), /^[A-Z2-9]{5}-[A-Z2-9]{5}$/);

  const rows = site.rows;
  assert.equal(rows.length, 24);
  assert.equal(rows.filter((row) => row.is_attn_check === "1").length, 4);
  assert.ok(rows.every((row) => row.correct_guess === "1"));
  assert.ok(rows.every((row) => Number(row.reaction_time) > 0 && Number(row.reaction_time) < 60000));
  const elapsed = rows.map((row) => Number(row.time_elapsed));
  assert.ok(elapsed.every((ms, i) => i === 0 || ms > elapsed[i - 1]), "time goes on over a reload");
  await person.page.reload();
  await person.page.locator(".code").waitFor(); // it can be read again
  await dashboard(browser, site);
  await context.close();
  await site.remove();
}

async function dashboard(browser, site) {
  const context = await browser.newContext({
    viewport: { width: 1100, height: 900 },
    httpCredentials: { username: "admin", password: site.password },
  });
  const page = await context.newPage();
  await page.goto(`${site.url}admin`);
  await page.locator("#people tr", { hasText: "passed" }).waitFor();
  await page.locator("#participants", { hasText: "100.0 %" }).waitFor();
  if (shots) await page.screenshot({ path: path.join(shots, "dashboard.png"), fullPage: true });
  await context.close();
}

async function onAPhone(browser) {
  const site = await new Site(makeStudy()).start();
  const context = await browser.newContext({
    viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2,
  });
  const person = new Person(await context.newPage(), "phone");
  person.press = (locator) => locator.tap();
  await person.page.goto(site.url);
  await person.untilPractice();
  await person.trial();
  await checkRing(person);
  await person.look("ring");
  await person.page.setViewportSize({ width: 640, height: 360 }); // turned
  await person.page.waitForTimeout(200);
  await checkRing(person);
  await context.setOffline(true);
  await person.press(person.page.locator(".disc").nth((await person.trial()).place));
  await person.page.locator("#notice", { hasText: "connection is lost" }).waitFor();
  await person.page.waitForTimeout(200);
  await checkNotice(person);
  await person.look("turned-offline");
  await person.page.setViewportSize({ width: 360, height: 640 });
  await person.page.waitForTimeout(200);
  await checkNotice(person);
  await person.look("offline");
  await context.setOffline(false);
  await person.page.locator("#notice").waitFor({ state: "hidden" });
  await person.page.locator(".feedback.right").waitFor({ state: "detached" });
  await person.answers(9);
  await person.text("The practice is over", "Continue");
  await person.task();
  await person.text("Thank you! You have finished", null);
  assert.equal(site.rows.length, 24);
  await context.close();
  await site.remove();
}

/** The server can write no more: the page says so, keeps the answers, and sends them once it can. */
async function onAFullDisk(browser) {
  const site = await new Site(makeStudy(QUICK)).start();
  const limit = (size) => execFileSync("prlimit", ["--pid", String(site.process.pid), `--fsize=${size}:`]);
  const context = await browser.newContext();
  const person = new Person(await context.newPage(), "full-disk");
  await person.page.goto(site.url);
  await person.text("You are invited", "I agree");
  await person.text("Press the label", "Continue");
  await person.text("The practice is over", "Continue");
  await person.answers(2);
  limit(fs.statSync(path.join(site.dir, "study.db-wal")).size);
  await person.answers(3);
  await person.page.locator("#notice", { hasText: "can't be stored" }).waitFor();
  await checkNotice(person);
  await person.look("notice");
  assert.equal(site.rows.length, 2);
  limit("unlimited");
  await person.page.locator("#notice").waitFor({ state: "hidden" });
  await person.task(5);
  await person.text("Thank you! You have finished", null);
  assert.equal(site.rows.length, 24);
  await context.close();
  await site.remove();
}

/** An image that can't be had, or is no image, is told in its place and can be asked for again. */
async function withoutAnImage(browser) {
  const site = await new Site(makeStudy(QUICK)).start();
  const context = await browser.newContext({ viewport: { width: 360, height: 640 } });
  const person = new Person(await context.newPage(), "no-image");
  const images = path.join(site.dir, "images"), away = path.join(site.dir, "away");
  const trouble = person.page.locator(".trouble", { hasText: "can't be loaded" });
  const again = () => person.press(trouble.locator("button", { hasText: "Try again" }));
  await person.page.goto(site.url);
  await person.text("You are invited", "I agree");
  await person.text("Press the label", "Continue");
  fs.renameSync(images, away);
  await person.text("The practice is over", "Continue");
  await trouble.waitFor();
  await person.look("trouble");
  assert.equal(await person.page.locator("#notice").isHidden(), true, "its connection is fine");
  await again();
  await trouble.waitFor();
  fs.renameSync(away, images);
  await again();
  await person.answers(2);

  const half = png(COLOURS[0], 0).subarray(0, 30); // of more, Chromium shows what there is
  const broken = (route) => route.fulfill({ contentType: "image/png", body: half });
  await person.page.route("**/api/image/*", broken);
  await person.page.reload();
  await trouble.waitFor();
  await person.page.unroute("**/api/image/*", broken);
  await person.page.keyboard.press("Enter"); // the button has the focus
  await person.task(2);
  await person.text("Thank you! You have finished", null);
  assert.equal(site.rows.length, 24);
  await context.close();
  await site.remove();
}

/** The answer that ends a failed block is stored, but the page doesn't hear of it. */
async function lostAcknowledgement(browser) {
  const site = await new Site(makeStudy()).start();
  const context = await browser.newContext();
  const person = new Person(await context.newPage(), "lost");
  await person.page.goto(site.url);
  await person.untilPractice();

  await person.answers(9, false);
  let lost = 0;
  await person.page.route("**/api/trial", async (route) => {
    if (route.request().postDataJSON().n !== 9 || lost++ > 0) return route.continue();
    await route.fetch();
    return route.abort(); // and the page sends it again
  });
  await person.answer(false);
  assert.equal(lost, 2);
  await person.text("You had 0 of 10 right", "Continue");
  await person.page.unroute("**/api/trial");

  await person.answers(2, true);
  await person.answers(7, false);
  const stored = new Promise((resolve) => {
    person.page.route("**/api/trial", async (route) => {
      await route.fetch();
      resolve(); // and the page is closed before it hears of it
    });
  });
  const { place } = await person.trial();
  await person.press(person.page.locator(".disc").nth((place + 1) % 10));
  await stored;
  await person.page.unroute("**/api/trial");
  await person.page.reload();
  await person.text("You had 2 of 10 right", "Continue");
  await person.answers(10);
  await person.text("The practice is over", "Continue");
  await context.close();
  await site.remove();
}

async function byKeyboard(browser) {
  const site = await new Site(makeStudy()).start();
  const context = await browser.newContext({ viewport: { width: 1024, height: 768 } });
  const { keyboard } = (await context.newPage());
  const person = new Person(context.pages()[0], "keyboard");
  let discs = 0;
  person.press = async (locator) => {
    if ((await locator.getAttribute("class")) !== "disc") {
      await keyboard.press("Tab");
      await keyboard.press("Enter");
      return;
    }
    const place = await locator.evaluate((disc) => [...disc.parentElement.querySelectorAll(".disc")].indexOf(disc));
    await keyboard.press("ArrowRight"); // to the top
    for (let i = 0; i < (place <= 5 ? place : 10 - place); i++)
      await keyboard.press(place <= 5 ? "ArrowRight" : "ArrowLeft");
    if (discs++ === 0) await person.look("focus");
    await keyboard.press(discs % 2 ? "Enter" : " ");
  };
  await person.page.goto(site.url);
  await person.untilPractice();
  await person.answers(10);
  await person.text("The practice is over", "Continue");
  await person.task();
  await person.text("Thank you! You have finished", null);
  assert.ok(site.rows.length === 24 && site.rows.every((row) => row.correct_guess === "1"));
  await context.close();
  await site.remove();
}

async function fromProlific(browser) {
  const platform = http.createServer((_, response) => response.end("back at the platform")).listen(0, "127.0.0.1");
  await once(platform, "listening");
  const back = `http://127.0.0.1:${platform.address().port}/submissions/complete?cc=C1`;
  const site = await new Site(makeStudy({ ...QUICK, recruitment: { kind: "prolific", completion_url: back } })).start();
  const context = await browser.newContext();
  const person = new Person(await context.newPage(), "prolific");
  await person.page.goto(site.url);
  await person.text("You are invited", "I agree");
  await person.page.locator(".error", { hasText: "SESSION_ID" }).waitFor(); // not from the platform
  await person.look("refused");
  await person.page.goto(`${site.url}?PROLIFIC_PID=p1&STUDY_ID=s1&SESSION_ID=x1`);
  await person.text("You are invited", "I agree");
  await person.text("Press the label", "Continue");
  await person.text("The practice is over", "Continue");
  await person.task();
  await person.text("Thank you! You have finished", null);
  await person.press(person.page.locator("a.button"));
  await person.page.waitForURL(back);

  // The same person again, at another machine and in another session.
  const other = await browser.newContext();
  const again = new Person(await other.newPage(), "prolific-again");
  await again.page.goto(`${site.url}?PROLIFIC_PID=p1&STUDY_ID=s1&SESSION_ID=x2`);
  await again.text("You are invited", "I agree");
  await again.text("already taken part", null);
  await context.close();
  await other.close();
  await site.remove();
  platform.close();
}

/** MTurk: a preview, then the accepted task, each in the platform's frame. The platform is made up,
 *  under its own names; its form goes from one of its hosts to another, as it does there. */
async function fromMTurk(browser) {
  const site = await new Site(makeStudy({ ...QUICK, recruitment: { kind: "mturk", submit_to: ["https://www.mturk.com"] } })).start();
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 } });
  await context.grantPermissions(["local-network-access"]); // the study is on this machine, the platform "isn't"
  let submitted = null;
  const html = (body) => ({ contentType: "text/html", body: `<!doctype html><body style="margin:0">${body}` });
  const framed = (query) => html(`<h3>Mechanical Turk</h3><iframe src="${site.url}?${query}" style="width:100%;height:800px;border:0">`);
  await context.route("https://*.mturk.com/**", async (route) => {
    const request = route.request(), url = new URL(request.url());
    if (url.pathname === "/mturk/externalSubmit" && url.host === "www.mturk.com") {
      submitted = { method: request.method(), body: request.postData() };
      return route.fulfill({ status: 302, headers: { Location: "https://worker.mturk.com/done" } });
    }
    return route.fulfill(framed(url.searchParams));
  });
  await context.route("https://elsewhere.example/**", (route) => route.fulfill(framed("hitId=H1")));

  const person = new Person(await context.newPage(), "mturk");
  person.frame = person.page.frameLocator("iframe");
  await person.page.goto("https://worker.mturk.com/?assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE&hitId=H1");
  await person.text("This is a preview", null);
  assert.equal(await person.frame.locator("button").count(), 0);
  const ids = "hitId=H1&workerId=W1&assignmentId=A1";
  const task = `https://worker.mturk.com/?${ids}&turkSubmitTo=`;
  await person.page.goto(task + encodeURIComponent("https://www.mturk.com"));
  await person.text("You are invited", "I agree");
  await person.text("Press the label", "Continue");
  await person.text("The practice is over", "Continue");
  await person.trial();
  await person.look("ring");
  await person.task();
  const passedOn = person.page.waitForEvent("requestfailed", (request) => request.url() === "https://worker.mturk.com/done");
  await person.text("Thank you! You have finished", "Submit");
  assert.equal((await passedOn).failure().errorText, "net::ERR_NAME_NOT_RESOLVED"); // and not: blocked
  assert.equal(submitted.method, "POST");
  assert.match(submitted.body, /^assignmentId=A1&completionCode=[A-Z2-9]{5}-[A-Z2-9]{5}$/);

  // An address that isn't the platform's gets nothing; nobody else may frame the study.
  await person.page.goto(task + encodeURIComponent("https://elsewhere.example"));
  await person.text("You are invited", "I agree"); // the browser may keep nothing in a foreign frame; the server knows
  await person.frame.locator(".error", { hasText: "no known place" }).waitFor();
  assert.equal(await person.frame.locator("form").count(), 0);
  const refused = person.page.waitForEvent("console", (said) => said.text().includes("frame-ancestors"));
  await person.page.goto("https://elsewhere.example/");
  await refused;
  assert.equal(await person.frame.locator(".text").count(), 0);
  await context.close();
  await site.remove();
}

// ---- all of them ----

const { chromium } = await (async () => createRequire(new URL("../../web/package.json", import.meta.url))("playwright-core"))()
  .catch(() => skip("playwright-core isn't installed in web/"));
if (!fs.existsSync(CHROMIUM)) skip(`there is no ${CHROMIUM}`);
const probe = fs.mkdtempSync(path.join(os.tmpdir(), "softlabel-browser-"));
const served = spawnSync(softlabel, ["study", "serve", path.join(probe, "nowhere")]).stderr.toString();
fs.rmSync(probe, { recursive: true });
if (served.includes("has no page")) skip("this build has no page");

if (shots) fs.mkdirSync(shots, { recursive: true });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
const all = {
  wholeStudy, onAPhone, byKeyboard, onAFullDisk, withoutAnImage, lostAcknowledgement, fromProlific, fromMTurk,
};
const tests = Object.values(all).filter((test) => only.length === 0 || only.includes(test.name));
try {
  for (const test of tests) {
    const start = Date.now();
    await test(browser);
    console.log(`${test.name}: passed in ${((Date.now() - start) / 1000).toFixed(1)} s`);
  }
} finally {
  await browser.close();
}
