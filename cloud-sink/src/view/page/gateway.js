// One gateway: how far it is safely stored, its sealed records to take away, its devices and what
// they said last.

import { age, ask, button, by, row, tell } from "/common.js";
import { clock } from "/map.js";
import { hideWall, showWall } from "/wall.js";

const EVERY_MS = 15000;

let person = {};
let shown = "";

const said = (words) => { by("gateway-said").textContent = words; };
const path = (rest) => `/v1/gateways/${encodeURIComponent(shown)}/${rest}`;
const short = (hash) => `${hash.slice(0, 16)}…`;

export function beginGateway(who) {
  person = who;
  by("evidence").hidden = !who.may_take_evidence;
  by("wall-show").hidden = !who.may_see_values;
  by("evidence").addEventListener("click", takeEvidence);
  by("wall-show").addEventListener("click", () => showWall(shown));
  by("gateway-close").addEventListener("click", () => showGateway(""));
  setInterval(drawAgain, EVERY_MS);
}

const drawAll = () =>
  Promise.all([drawReceipts(), drawMachine(), drawService(), drawDevices()]);

// A table in which somebody is at work stays as it is.
function drawAgain() {
  if (!shown || by("devices").contains(document.activeElement)) return;
  drawAll().catch((error) => said(error.message));
}

export async function showGateway(name) {
  if (name === shown) return;
  shown = name;
  hideWall();
  by("gateway").hidden = !name;
  if (!name) return;
  by("gateway-title").textContent = `Gateway ${name}`;
  said("");
  try {
    await drawAll();
  } catch (error) {
    said(error.message);
  }
}

async function drawReceipts() {
  const answer = await ask(path("receipts"));
  by("receipt-key").textContent = answer.receipt_key;
  by("receipt-store").textContent = answer.store_epoch
    + (answer.commit === null ? "" : `, commit ${answer.commit}`);
  const rows = answer.segments.map((one) => {
    const whole = one.contiguous === one.records ? "whole" : "has a hole";
    return row(one.lane, short(one.segment), `${one.records}`, `${one.contiguous}, ${whole}`,
      short(one.head), clock(one.received_ns));
  });
  by("receipts").tBodies[0].replaceChildren(...rows);
}

const megabytes = (bytes) => `${Math.round(bytes / 1e6)} MB`;

// What the gateway says of its machine; what the machine does not show is left out.
async function drawMachine() {
  const { gateways } = await ask("/v1/line");
  const one = gateways.find(({ name }) => name === shown);
  if (!one) return;
  const facts = [
    ["Software", one.software],
    ["Runs for", age(one.uptime_s)],
    ["Why it was started", one.started],
    ["Hottest part", one.celsius === null ? null : `${one.celsius.toFixed(1)} °C`],
    ["Medium's life used", one.wear_percent === null ? null : `${one.wear_percent} %`],
    ["Memory of the agent", megabytes(one.memory_bytes)],
    ["Memory available", one.memory_available === null ? null : megabytes(one.memory_available)],
    ["Disk free", one.disk_free === null ? null : megabytes(one.disk_free)],
    ["Certificate", one.certificate_days === null ? null : `${one.certificate_days} days left`],
    ["Longest sync", `${(one.sync_us / 1000).toFixed(1)} ms`],
    ["Connections made", `${one.connects}`],
    ["It says is wrong", one.alarms.join(", ") || "nothing"],
  ].filter(([, value]) => value !== null && value !== "");
  drawFacts("machine", facts);
}

function drawFacts(place, facts) {
  by(place).replaceChildren(...facts.flatMap(([name, value]) => {
    const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
    [dt.textContent, dd.textContent] = [name, value];
    return [dt, dd];
  }));
}

// A share of the month's minutes, with what went wrong.
function shareWords(one, minutes) {
  const share = percent(one.up_minutes, minutes) || "nothing to count yet";
  if (!one.failures) return share;
  const [between, restored] = [one.mtbf_minutes, one.mttr_minutes].map((m) => age(m * 60));
  const times = one.failures === 1 ? "once" : `${one.failures} times`;
  return `${share}; down ${times}, ${between} between failures, ${restored} to restoration`;
}

function delayWords({ readings, p50_ms, p95_ms, p99_ms }) {
  if (!readings) return null;
  const one = (ms) => (ms === null ? "over a day" : ms < 6e4 ? `${ms / 1e3} s` : age(ms / 1e3));
  return `half within ${one(p50_ms)}, 95 % within ${one(p95_ms)}, 99 % within ${one(p99_ms)}`;
}

// How well the gateway and its feed did.
async function drawService() {
  const month = await ask(path("availability"));
  drawFacts("service", [
    ["Gateway up", shareWords(month.gateway_up, month.minutes)],
    ["Reports came at once", shareWords(month.feed_up, month.minutes)],
    ["Live readings were stored", delayWords(month.live_delay)],
    ["Readings of a backlog", delayWords(month.backlog_delay)],
  ].filter(([, value]) => value !== null));
}

// Never rounded up to a whole.
const percent = (stored, all) => (all ? `${(Math.floor((stored / all) * 1e5) / 1e3)} %` : "");
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

// How complete a device's last day and its worst hour are, by what was declared as lost.
function complete(one) {
  if (!one) return ["", ""];
  const all = one.stored.map((stored, hour) => stored + one.lost[hour]);
  const shares = all.map((count, hour) => [one.stored[hour], count]).filter(([, count]) => count);
  const worst = shares.sort((a, b) => a[0] / a[1] - b[0] / b[1])[0];
  return [percent(sum(one.stored), sum(all)), worst ? percent(...worst) : ""];
}

// What the UDI says, part by part.
function udiWords(udi) {
  if (!udi) return "";
  const parts = [["", udi.identifier], ["lot ", udi.lot], ["made ", udi.made],
    ["until ", udi.expires], ["serial ", udi.serial]];
  return parts.filter(([, value]) => value).map(([name, value]) => name + value).join(", ");
}

async function drawDevices() {
  const [{ devices }, hours] =
    await Promise.all([ask("/v1/devices"), ask(path("completeness?hours=24"))]);
  const shares = new Map(hours.devices.map((one) => [one.device, complete(one)]));
  const rows = devices.filter((one) => one.gateway === shown).map((one) => {
    const { model, maker, serial, place } = one.asset;
    const edit = person.may_handle ? button("Describe", () => describe(one)) : "";
    const since = age(Date.now() / 1000 - one.heard_ns / 1e9);
    return row(one.device, since, model, maker, serial, place,
      udiWords(one.udi), ...(shares.get(one.device) ?? ["", ""]), edit);
  });
  by("devices").tBodies[0].replaceChildren(...rows);
}

const FIELDS = ["udi", "serial", "model", "maker", "place"];

function describe(device) {
  const dialog = by("describing");
  by("describing-title").textContent = `What device ${device.device} is`;
  FIELDS.forEach((name) => { by(`asset-${name}`).value = device.asset[name]; });
  dialog.returnValue = "";
  dialog.onclose = async () => {
    if (dialog.returnValue !== "yes") return;
    const asset = Object.fromEntries(FIELDS.map((name) => [name, by(`asset-${name}`).value]));
    try {
      await tell(`/v1/devices/${device.device}`, "PUT", asset);
      said("");
      await drawDevices();
    } catch (error) {
      said(`Not written down: ${error.message}`);
    }
  };
  dialog.showModal();
}

// All sealed records of the last hour as one file, a line of JSON each.
async function takeEvidence() {
  const gateway = shown;
  const from = Math.round((Date.now() - 3600e3) * 1e6);
  const lines = [];
  try {
    for (let after = 0; after !== null;) {
      const page = await ask(path(`records?from_ns=${from}&after=${after}`));
      page.records.forEach((record) => lines.push(`${JSON.stringify(record)}\n`));
      after = page.after;
      said(`${lines.length} records …`);
    }
  } catch (error) {
    said(`Not taken: ${error.message}`);
    return;
  }
  const file = URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" }));
  const link = document.createElement("a");
  [link.href, link.download] = [file, `${gateway}-evidence.ndjson`];
  link.click();
  URL.revokeObjectURL(file);
  said(`${lines.length} sealed records of the last hour are in ${link.download}.`);
}
