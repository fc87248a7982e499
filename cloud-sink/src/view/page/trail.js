// Who did what, for those who may know.

import { ask, by, row } from "/common.js";
import { clock } from "/map.js";

let before = null;

export function beginTrail(person) {
  by("trail").hidden = !person.may_audit || person.ward !== null;
  by("trail-more").addEventListener("click", more);
}

async function more() {
  try {
    const { entries } = await ask(`/v1/audit${before === null ? "" : `?before=${before}`}`);
    by("trail-entries").tBodies[0].append(...entries.map((one) =>
      row(`${one.id}`, clock(one.at_ns), one.who, one.role, one.what, one.object, one.words)));
    before = entries.at(-1)?.id ?? before;
    by("trail-more").textContent = "Show older entries";
    by("trail-more").disabled = before === 1 || entries.length === 0;
    by("trail-said").textContent = "";
  } catch (error) {
    by("trail-said").textContent = error.message;
  }
}
