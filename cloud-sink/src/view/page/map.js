// The coverage map: devices by time, and in one sentence whether anything is lost.

const WORDS = {
  live: "live",
  late: "back-filled",
  missing: "missing, declared in a gap",
  held: "quarantined",
  waiting: "may wait at the gateway",
  none: "nothing said",
};
const SHAPES = { live: "", late: "◐", missing: "✕", held: "?", waiting: "…", none: "" };

function clock(ns) {
  return new Date(ns / 1e6).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted.length ? sorted[sorted.length >> 1] : 0;
}

// What one device's columns are; a gap names no device, so it hits those that said too little.
function kinds(map, device, side) {
  const step = map.step_s * 1e9;
  const sums = device.live.map((live, at) => live + device.late[at]);
  const usual = median(sums.filter((sum) => sum > 0));
  return sums.map((sum, at) => {
    const from = map.from_ns + at * step;
    const inGap = side.gaps.some((gap) => gap.from_ns < from + step && gap.to_ns >= from);
    if (side.quarantined[at] > 0 && sum === 0) return "held";
    if (inGap && sum < usual * 0.9) return "missing";
    if (device.late[at] > 0) return "late";
    if (device.live[at] > 0) return "live";
    return side.heard_ns !== null && from + step > side.heard_ns ? "waiting" : "none";
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

// Whether anything is lost, in one sentence.
export function verdict(map, nowNs) {
  const all = (pick) => map.gateways.flatMap(pick).reduce((sum, one) => sum + one, 0);
  const least = all((side) => side.gaps.map((gap) => gap.readings[0]));
  const most = all((side) => side.gaps.map((gap) => gap.readings[1]));
  const held = all((side) => side.quarantined);
  const late = map.devices.flatMap((device) => device.late).reduce((sum, one) => sum + one, 0);
  const silent = map.gateways.filter((side) => side.heard_ns && nowNs - side.heard_ns > 45e9);
  const said = [];
  if (most > 0) {
    const causes = new Set(map.gateways.flatMap((side) => side.gaps.map((gap) => gap.cause)));
    said.push(`${least} to ${most} readings are lost and declared (${[...causes].join(", ")}).`);
  } else {
    said.push("No reading of this time is known to be lost.");
  }
  if (late > 0) said.push(`${late} came late, out of a backlog, and are here.`);
  if (held > 0) said.push(`${held} records are quarantined.`);
  silent.forEach((side) =>
    said.push(`${side.gateway} is not heard since ${clock(side.heard_ns)}: more may wait there.`));
  return { words: said.join(" "), lost: most > 0 };
}

export function draw(table, map) {
  table.tHead.replaceChildren(head(map));
  const rows = map.devices.map((device) => {
    const side = map.gateways.find((one) => one.gateway === device.gateway);
    const cells = runs(kinds(map, device, side)).map((run) => cell(map, device, run));
    const name = element("th", { scope: "row" }, `${device.gateway} · ${device.device}`);
    return element("tr", {}, name, ...cells);
  });
  if (map.devices_left_out > 0) {
    const words = `${map.devices_left_out} more devices: choose a gateway`;
    rows.push(element("tr", {}, element("td", { colspan: map.columns + 1 }, words)));
  }
  table.tBodies[0].replaceChildren(...rows);
}
