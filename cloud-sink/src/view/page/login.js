// A ticket stands behind the '#': browsers send it to nobody, so that it is in no log.

const said = document.getElementById("said");
const field = (id) => document.getElementById(id);
const ticket = location.hash.slice(1);
const refused = new URLSearchParams(location.search).get("refused");
const REFUSALS = {
  role: "You have no role here; ask whoever runs the hospital's sign-on for one.",
  provider: "The hospital's sign-on does not vouch for you; try again.",
  expired: "That took longer than ten minutes, or began in another browser; try again.",
};
history.replaceState(null, "", "/login");

async function enter(claim) {
  said.textContent = "Signing in …";
  const answer = await fetch("/v1/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(claim),
  });
  if (answer.ok) {
    location.replace("/");
    return;
  }
  const { error, remedy } = await answer.json();
  said.textContent = `${error}; ${remedy}`;
}

field("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const [name, password, code] = ["name", "password", "code"].map((id) => field(id).value);
  field("code").value = "";
  enter({ name: name.trim(), password, code });
});
if (ticket) enter({ ticket });
if (Object.hasOwn(REFUSALS, refused)) said.textContent = REFUSALS[refused];
const ways = await fetch("/v1/ways");
if (ways.ok) field("sign-on").hidden = !(await ways.json()).sign_on;
