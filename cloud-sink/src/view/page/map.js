// The coverage map: devices by time, and in one sentence whether anything is lost.

const WORDS = {
  live: "live",
  late: "back-filled",
  missing: "missing, declared in a gap",
  partly: "here in part: a gap of its gateway lies here, of which device is not known",
  held: "quarantined",
  waiting: "may wait at the gateway",
  none: "nothing said",
};
const SHAPES = {
  live: "●", late: "◐", missing: "✕", partly: "✕", held: "?", waiting: "…", none: "",
};

// A moment in words, with its day unless that is today.
export function clock(ns) {
  const moment = new Date(ns / 1e6);
  const time = moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  if (moment.toDateString() === new Date().toDateString()) return time;
  return `${moment.toLocaleDateString([], { month: "short", day: "numeric" })} ${time}`;
}

// From when on a gateway may hold what is not here yet.
const waitingFrom = (side) => side.heard_ns - side.unreceipted_s * 1e9;
// Three reports of a gateway are missing.
const isSilent = (side, nowNs) => nowNs - side.heard_ns > 45e9;
const isBehind = (side) => side.unreceipted_s > 60;

// What one device's columns are. A gap names no device, so it is drawn at all of its gateway's.
// Of a gateway that is silent or behind, a column that has some readings may still miss others.
function kinds(map, device, side, nowNs) {
  const step = map.step_s * 1e9;
  const sums = device.live.map((live, at) => live + device.late[at]);
  return sums.map((sum, at) => {
    const from = map.from_ns + at * step;
    const inGap = side.gaps.some((gap) => gap.from_ns < from + step && gap.to_ns >= from);
    if (side.quarantined[at] > 0 && sum === 0) return "held";
    if (inGap) return sum > 0 ? "partly" : "missing";
    const mayWait = side.heard_ns !== null && from + step > waitingFrom(side);
    if (mayWait && (sum === 0 || isSilent(side, nowNs) || isBehind(side))) return "waiting";
    if (device.late[at] > 0) return "late";
    return device.live[at] > 0 ? "live" : "none";
  });
}

// Neighbours of one kind become one cell.
function runs(columns) {
  const found = [];
  columns.forEach((kind, at) => {
    const last = found[found.length - 1];
    if (last && last.kind === kind) last.to = at + 1;
    else found.push({ kind, from: at, to: at + 1 });
  });
  return found;
}

function element(name, attributes, ...inside) {
  const made = document.createElement(name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.append(...inside);
  return made;
}

function cell(map, device, { kind, from, to }) {
  const at = (column) => clock(map.from_ns + column * map.step_s * 1e9);
  const count = (list) => list.slice(from, to).reduce((sum, one) => sum + one, 0);
  const words = `${at(from)} to ${at(to)}: ${WORDS[kind]}; ${count(device.live)} readings live, `
    + `${count(device.late)} back-filled`;
  const spoken = element("span", { class: "hidden" }, words);
  const attributes = { class: `cell ${kind}`, colspan: to - from, title: words };
  return element("td", attributes, SHAPES[kind], spoken);
}

function head(map) {
  const row = element("tr", {}, element("th", { scope: "col" }, "Device"));
  const every = Math.max(1, Math.floor(map.columns / 8));
  for (let at = 0; at < map.columns; at += every) {
    const span = Math.min(every, map.columns - at);
    const time = clock(map.from_ns + at * map.step_s * 1e9);
    row.append(element("th", { scope: "colgroup", colspan: span }, time));
  }
  return row;
}

// Whether anything is lost, in a few sentences. "Not known to be lost" is said only if no gap, with
// a time or without, and no device says otherwise.
export function verdict(map, nowNs) {
  const sum = (list) => list.reduce((total, one) => total + one, 0);
  const all = (pick) => sum(map.gateways.map(pick));
  const range = (least, most) => (least === most ? `${most}` : `${least} to ${most}`);
  const said = [];
  const most = all((side) => side.lost[1]);
  const undated = all((side) => side.lost_undated[1]);
  const before = sum(map.devices.map((device) => device.lost_before));
  const causes = [...new Set(map.gateways.flatMap((side) => side.causes))].join(", ");
  if (most > 0) {
    const least = all((side) => side.lost[0]);
    said.push(`${range(least, most)} readings are lost and declared (${causes}).`);
  }
  if (undated > 0) {
    const least = all((side) => side.lost_undated[0]);
    said.push(`${range(least, undated)} readings are declared lost at a time that is not known `
      + `(${causes}).`);
  }
  if (before > 0) {
    said.push(`${before} readings were lost before the gateway could keep them.`);
  }
  const lost = most + undated + before > 0;
  if (!lost) said.push("No reading of this time is known to be lost.");
  const late = sum(map.devices.flatMap((device) => device.late));
  if (late > 0) said.push(`${late} came late, out of a backlog, and are here.`);
  const held = sum(map.gateways.flatMap((side) => side.quarantined));
  if (held > 0) said.push(`${held} records are quarantined.`);
  for (const side of map.gateways.filter((one) => one.heard_ns)) {
    if (isSilent(side, nowNs)) {
      said.push(`${side.gateway} is not heard since ${clock(side.heard_ns)}: more may wait there.`);
    } else if (isBehind(side)) {
      said.push(`${side.gateway} still holds readings since ${clock(waitingFrom(side))}.`);
    }
  }
  return { words: said.join(" "), lost };
}

export function draw(table, map, nowNs) {
  table.tHead.replaceChildren(head(map));
  const rows = map.devices.map((device) => {
    const side = map.gateways.find((one) => one.gateway === device.gateway);
    const cells = runs(kinds(map, device, side, nowNs)).map((run) => cell(map, device, run));
    const name = element("th", { scope: "row" }, `${device.gateway} · ${device.device}`);
    return element("tr", {}, name, ...cells);
  });
  if (map.is_cut) {
    const words = "There are more devices: choose a gateway";
    rows.push(element("tr", {}, element("td", { colspan: map.columns + 1 }, words)));
  }
  table.tBodies[0].replaceChildren(...rows);
}
