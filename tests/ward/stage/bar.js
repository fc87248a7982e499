// The demo's own button: cuts the gateway's link, and restores it.
const bar = document.createElement("p");
const button = document.createElement("button");
button.type = "button";
button.id = "ward-link";
bar.append("Demonstration: ", button);
document.querySelector("header").append(bar);
let cut = (await (await fetch("/ward/link")).json()).cut;

function show() {
  button.textContent = cut ? "Restore the gateway's link" : "Cut the gateway's link";
  button.setAttribute("aria-pressed", String(cut));
}

button.addEventListener("click", async () => {
  const answer = await fetch(`/ward/link/${cut ? "restored" : "cut"}`, { method: "POST" });
  cut = (await answer.json()).cut;
  show();
});
show();
