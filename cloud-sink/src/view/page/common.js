// What all parts of the page use.

export const by = (id) => document.getElementById(id);

export function age(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

export function row(...cells) {
  const made = document.createElement("tr");
  for (const cell of cells) {
    const td = document.createElement("td");
    td.append(cell);
    made.append(td);
  }
  return made;
}

export function button(text, act, kind = "") {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  made.textContent = text;
  made.addEventListener("click", act);
  return made;
}

export async function ask(path, options = {}) {
  const answer = await fetch(path, options);
  if (answer.status === 401) {
    location.replace("/login");
    // Nothing goes on here: the page is being left.
    return new Promise(() => {});
  }
  if (!answer.ok) {
    const { error, remedy } = await answer.json();
    throw new Error(`${error}; ${remedy}`);
  }
  return answer.status === 204 ? null : answer.json();
}

export function tell(path, method, body) {
  const headers = { "Content-Type": "application/json" };
  return ask(path, { method, headers, body: JSON.stringify(body) });
}
