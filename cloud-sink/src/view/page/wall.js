// The device wall: what each device said last. A value that is old is struck out: it never looks
// like one of now. While it is shown, the sink writes down who looks.

import { age, ask, button, by } from "/common.js";

const EVERY_MS = 2000;
// Without a period, or with a shorter one, a value is old after this.
const OLD_S = 30;
const PERIODS = 3;

let gateway = "";
let timer = null;
const paused = new Set();

export function hideWall() {
  clearInterval(timer);
  gateway = "";
  by("wall").hidden = true;
  by("wall-values").replaceChildren();
  by("wall-strips").replaceChildren();
}

export function showWall(name) {
  hideWall();
  gateway = name;
  by("wall").hidden = false;
  look();
  timer = setInterval(look, EVERY_MS);
}

async function look() {
  const asked = gateway;
  try {
    const wall = await ask(`/v1/gateways/${encodeURIComponent(asked)}/values`);
    if (asked !== gateway) return;
    by("wall-values").replaceChildren(...devices(wall));
    wall.strips.forEach((strip) => drawStrip(wall, strip));
    dropStrips(wall.strips);
    by("wall-said").textContent = wall.values.length ? "" : "No device has said a value.";
  } catch (error) {
    if (asked !== gateway) return;
    by("wall-said").textContent = `What stands here is old: ${error.message}`;
  }
}

function element(name, kind, ...inside) {
  const made = document.createElement(name);
  made.className = kind;
  made.append(...inside);
  return made;
}

// A list of cards under each device's name.
function devices(wall) {
  const names = [...new Set(wall.values.map((one) => one.device))];
  return names.flatMap((name) => {
    const own = wall.values.filter((one) => one.device === name);
    const cards = own.map((one) => card(wall, one));
    return [element("h4", "", `Device ${name}`), element("ul", "cards", ...cards)];
  });
}

function card(wall, one) {
  const seconds = (wall.now_ns - one.at_ns) / 1e9;
  const old = Math.abs(seconds) > Math.max(OLD_S, PERIODS * (one.period_ns ?? 0) / 1e9);
  const words = one.value === null ? one.validity : `${one.value} ${one.unit}`;
  const state = [`${age(seconds)} ago`, old && "old",
    one.value !== null && one.validity !== "valid" && one.validity, one.is_demo && "demo"];
  return element("li", old ? "old" : "", element("span", "", one.signal), " ",
    element(old ? "s" : "strong", "", words), " ",
    element("small", "", state.filter(Boolean).join(", ")));
}

const nameOf = (strip) => `${strip.device} ${strip.signal}`;

function figure(strip) {
  const name = nameOf(strip);
  const known = [...by("wall-strips").children].find((one) => one.dataset.name === name);
  if (known) return known;
  const made = document.createElement("figure");
  made.dataset.name = name;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [800, 90];
  canvas.setAttribute("role", "img");
  const caption = document.createElement("figcaption");
  const toggle = button("Pause", () => {
    if (!paused.delete(name)) paused.add(name);
    toggle.textContent = paused.has(name) ? "Go on" : "Pause";
  });
  toggle.setAttribute("aria-label", `Pause ${name}`);
  caption.append(document.createElement("span"), " ", toggle);
  made.append(caption, canvas);
  by("wall-strips").append(made);
  return made;
}

function dropStrips(strips) {
  const names = new Set(strips.map(nameOf));
  [...by("wall-strips").children].filter((one) => !names.has(one.dataset.name))
    .forEach((one) => one.remove());
}

function drawStrip(wall, strip) {
  const made = figure(strip);
  if (paused.has(nameOf(strip))) return;
  const [caption, canvas] = made.children;
  const values = strip.samples.filter((one) => one !== null);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const end = strip.at_ns / 1e9 + strip.samples.length / strip.samples_per_second;
  const words = `${nameOf(strip)}: ${low} to ${high} ${strip.unit}, to `
    + `${age(wall.now_ns / 1e9 - end)} ago${strip.is_demo ? ", demo" : ""}`;
  caption.firstChild.textContent = words;
  canvas.setAttribute("aria-label", words);
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.strokeStyle = getComputedStyle(canvas).color;
  pen.beginPath();
  let isDown = false;
  strip.samples.forEach((sample, at) => {
    if (sample === null) { isDown = false; return; }
    const x = at * canvas.width / strip.samples.length;
    const y = canvas.height - 5 - (sample - low) * (canvas.height - 10) / ((high - low) || 1);
    if (isDown) pen.lineTo(x, y); else pen.moveTo(x, y);
    isDown = true;
  });
  pen.stroke();
}
