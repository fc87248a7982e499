// The page: follows the line by server-sent events, and draws what has changed.
import { age, ask, button, by, row, tell } from "/common.js";
import { beginGateway, showGateway } from "/gateway.js";
import { clock, draw, verdict } from "/map.js";
import { beginTrail } from "/trail.js";

const gateways = new Map();
let incidents = [];
let person = { may_handle: false };
// What the sink's clock is ahead of ours, nanoseconds; and when its last word came.
let aheadNs = 0;
let heardAt = performance.now();
let sequence = 0;

const STATES = {
  dark: ["■", "dark"], late: ["◆", "late"], new: ["○", "never heard"], online: ["●", "online"],
};
const ORDER = ["dark", "late", "new", "online"];
// A stream that says nothing for longer has stalled: the sink looks every second, and says so.
const STALE_S = 8;
const AGAIN_MS = 3000;
const MAP_EVERY_MS = 5000;

const nowNs = () => Date.now() * 1e6 + aheadNs;

function bytes(count) {
  const units = ["B", "kB", "MB", "GB"];
  let at = 0;
  while (count >= 1000 && at < 3) [count, at] = [count / 1000, at + 1];
  return `${at && count < 10 ? count.toFixed(1) : Math.round(count)} ${units[at]}`;
}

function clockWords(gateway) {
  if (gateway.heard_ns === null) return "";
  const error = gateway.clock_error_us;
  // The largest number stands for a clock that nobody vouches for.
  if (error === null || error > 1e15) return "not known";
  return `±${error < 1e6 ? `${Math.ceil(error / 1000)} ms` : age(error / 1e6)}`;
}

const heardAgo = (gateway) =>
  gateway.heard_ns === null ? "" : age((nowNs() - gateway.heard_ns) / 1e9);

function gatewayRow(gateway) {
  const [shape, word] = STATES[gateway.state];
  const made = row(
    `${shape} ${word}`, button(gateway.name, () => choose(gateway.name), "link"),
    gateway.ward ?? "", heardAgo(gateway), gateway.unreceipted_s ? age(gateway.unreceipted_s) : "",
    gateway.backlog_bytes ? bytes(gateway.backlog_bytes) : "",
    gateway.room_days === null ? "" : `${gateway.room_days} d`,
    `${gateway.devices}`, gateway.readings_lost ? `${gateway.readings_lost}` : "0",
    clockWords(gateway), gateway.incidents ? `${gateway.incidents}` : "0", gateway.software);
  made.dataset.gateway = gateway.name;
  made.dataset.state = gateway.state;
  made.cells[0].className = `state ${gateway.state}`;
  made.cells[3].className = "heard";
  return made;
}

function worstFirst(a, b) {
  return ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || b.incidents - a.incidents
    || b.unreceipted_s - a.unreceipted_s || a.name.localeCompare(b.name);
}

const isWanted = ({ name, ward }, wanted) =>
  name.includes(wanted) || (ward ?? "").toLowerCase().includes(wanted);

function drawFleet() {
  const wanted = by("filter").value.trim().toLowerCase();
  const shown = [...gateways.values()].filter((one) => isWanted(one, wanted)).sort(worstFirst);
  const focused = document.activeElement?.closest?.("#fleet tr")?.dataset.gateway;
  by("fleet").tBodies[0].replaceChildren(...shown.map(gatewayRow));
  if (focused) by("fleet").querySelector(`tr[data-gateway="${focused}"] button`)?.focus();
}

function drawStrip() {
  const all = [...gateways.values()];
  const count = (state) => all.filter((one) => one.state === state).length;
  const oldest = Math.max(0, ...all.map((one) => one.unreceipted_s));
  const room = all.map((one) => one.room_days).filter((days) => days !== null);
  const integrity = incidents
    .filter((one) => ["integrity", "fork", "withheld"].includes(one.kind)).length;
  const unsure = all.filter((one) => one.heard_ns !== null && clockWords(one) === "not known");
  const figures = [
    ["online", count("online")], ["late", count("late")], ["dark", count("dark")],
    ["oldest waiting", age(oldest)], ["integrity incidents", integrity],
    ["least room", room.length ? `${Math.min(...room)} d` : "–"],
    ["without a clock", unsure.length],
  ];
  by("strip").replaceChildren(...figures.map(([name, value]) => {
    const pair = document.createElement("div");
    const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
    [dt.textContent, dd.textContent] = [name, value];
    pair.append(dt, dd);
    return pair;
  }));
}

function drawIncidents() {
  const rows = incidents.map((one) => {
    const handle = document.createElement("span");
    if (person.may_handle) {
      handle.append(button("Take", () => say(one, "take")), " ",
        button("Close", () => say(one, "close")));
    }
    const made = row(clock(one.opened_ns), one.kind,
      one.gateway ?? "all", one.words, one.remedy, one.owner ?? "", handle);
    made.dataset.kind = one.kind;
    made.dataset.id = one.id;
    return made;
  });
  const focused = document.activeElement?.closest?.("#incidents tr")?.dataset.id;
  const which = focused && document.activeElement.textContent;
  by("incidents").tBodies[0].replaceChildren(...rows);
  by("calm").hidden = rows.length > 0;
  if (focused) {
    const again = by("incidents").querySelectorAll(`tr[data-id="${focused}"] button`);
    [...again].find((one) => one.textContent === which)?.focus();
  }
}

function say(incident, deed) {
  const dialog = by("saying");
  by("saying-title").textContent =
    `${deed === "take" ? "Take" : "Close"} the incident: ${incident.kind}`;
  by("note").value = "";
  dialog.returnValue = "";
  dialog.onclose = async () => {
    if (dialog.returnValue !== "yes") return;
    try {
      await tell(`/v1/incidents/${incident.id}/${deed}`, "POST", { note: by("note").value });
      by("failed").textContent = "";
    } catch (error) {
      by("failed").textContent =
        `Not written down: ${error.message}. Your note: ${by("note").value}`;
    }
  };
  dialog.showModal();
}

function choose(name) {
  by("map-gateway").value = name;
  drawMap();
  showGateway(name);
  by("map-title").scrollIntoView();
}

function drawChoice() {
  const select = by("map-gateway");
  const names = ["", ...[...gateways.keys()].sort()];
  if (names.length === select.options.length) return;
  const chosen = select.value;
  select.replaceChildren(...names.map((name) => new Option(name || "all", name)));
  select.value = chosen;
}

// Answers may come in another order than they were asked for.
let mapAsked = 0;
let mapWaits = false;

async function drawMap() {
  const asked = ++mapAsked;
  mapWaits = true;
  try {
    await drawMapNow(asked);
  } catch (error) {
    if (asked !== mapAsked) return;
    by("verdict").textContent = `The map is old, it could not be drawn again: ${error.message}`;
    by("verdict").className = "lost";
  } finally {
    if (asked === mapAsked) mapWaits = false;
  }
}

async function drawMapNow(asked) {
  const [gateway, hours] = [by("map-gateway").value, by("map-hours").value];
  const query = new URLSearchParams({ hours, ...(gateway && { gateway }) });
  const map = await ask(`/v1/coverage?${query}`);
  if (asked !== mapAsked) return;
  draw(by("map"), map, nowNs());
  const { words, lost } = verdict(map, nowNs());
  if (by("verdict").textContent !== words) by("verdict").textContent = words;
  by("verdict").className = lost ? "lost" : "";
}

function take(line) {
  heardAt = performance.now();
  if (line.sequence < sequence) return;
  sequence = line.sequence;
  aheadNs = line.now_ns - Date.now() * 1e6;
  if (!line.whole && !line.gateways.length && !line.incidents) return;
  if (line.whole) gateways.clear();
  line.gateways.forEach((one) => gateways.set(one.name, one));
  if (line.incidents) {
    incidents = line.incidents;
    drawIncidents();
  }
  drawFleet();
  drawStrip();
  drawChoice();
}

function follow() {
  const events = new EventSource("/v1/events");
  events.addEventListener("line", (event) => take(JSON.parse(event.data)));
  events.addEventListener("error", () => {
    sequence = 0;
    // After a refusal the browser does not try again by itself.
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, AGAIN_MS);
  });
}

// What is shown grows old by itself: ages go on, and a stalled stream is said aloud.
function tick() {
  const silent = (performance.now() - heardAt) / 1000;
  const stale = silent > STALE_S;
  const words = stale ? "Nothing heard from the sink: what stands here is old"
    : "Following the line";
  if (by("stream").textContent !== words) by("stream").textContent = words;
  by("stream").className = stale ? "stale" : "";
  for (const shown of by("fleet").tBodies[0].rows) {
    const gateway = gateways.get(shown.dataset.gateway);
    if (gateway) shown.cells[3].textContent = heardAgo(gateway);
  }
}

async function leave() {
  await ask("/v1/session", { method: "DELETE" });
  location.replace("/login");
}

person = await ask("/v1/person");
by("person").append(`${person.name} (${person.role}) `, button("Sign out", leave, "link"));
beginGateway(person);
beginTrail(person);
by("filter").addEventListener("input", drawFleet);
by("map-gateway").addEventListener("change", () => {
  drawMap();
  showGateway(by("map-gateway").value);
});
by("map-hours").addEventListener("change", drawMap);
take(await ask("/v1/line"));
follow();
setInterval(tick, 1000);
setInterval(() => mapWaits || drawMap(), MAP_EVERY_MS);
await drawMap();
