// The ticket stands behind the '#': browsers send it to nobody, so that it is in no log.
const said = document.getElementById("said");
const ticket = location.hash.slice(1);
history.replaceState(null, "", "/login");
if (ticket) {
  said.textContent = "Signing in …";
  const answer = await fetch("/v1/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ticket }),
  });
  if (answer.ok) {
    location.replace("/");
  } else {
    const { error, remedy } = await answer.json();
    said.textContent = `${error}; ${remedy}`;
  }
}
