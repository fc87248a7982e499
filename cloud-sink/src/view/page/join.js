// An invitation stands behind the '#': browsers send it to nobody, so that it is in no log.

const field = (id) => document.getElementById(id);
const invitation = location.hash.slice(1);
history.replaceState(null, "", "/join");

async function tell(path, body) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  if (answer.ok) return answer.status === 204 ? {} : answer.json();
  const { error, remedy } = await answer.json();
  field("said").textContent = `${error}; ${remedy}`;
  return null;
}

// White around it, as a camera needs it, whatever the page's colours are.
function drawSquare(rows) {
  const canvas = field("square");
  const quiet = 4;
  canvas.width = canvas.height = rows.length + 2 * quiet;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = "#000";
  rows.forEach((row, y) => [...row].forEach((dark, x) => {
    if (dark === "1") pen.fillRect(x + quiet, y + quiet, 1, 1);
  }));
}

field("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [password, code] = ["password", "code"].map((id) => field(id).value);
  field("code").value = "";
  if (!await tell("/v1/account", { invitation, password, code })) return;
  location.replace("/login");
});

if (invitation) {
  const invited = await tell("/v1/invitation", { invitation });
  if (invited) {
    field("said").textContent = `You are invited as ${invited.role}`
      + `${invited.ward ? ` of ${invited.ward}` : ""}.`;
    field("name").value = invited.name;
    field("secret").textContent = invited.secret;
    drawSquare(invited.square);
    field("form").hidden = false;
  }
}
