// Sends the dropped file to this page's server and shows the verdict. What comes back is only ever set as text.
"use strict";
const byId = (name) => document.getElementById(name);
const [drop, file, status, result] = ["drop", "file", "status", "result"].map(byId);
const SAID = {
  allow: "Allowed: it may be published",
  hold: "Held: nobody sees it until a person has decided",
  block: "Blocked: it matches what is known",
};
const MOST = 32 * 1024 * 1024;
let asked = 0;

async function screen(content) {
  const turn = ++asked;
  result.hidden = true;
  if (content.size > MOST) { status.textContent = "That file is larger than 32 MiB."; return; }
  status.textContent = `Screening ${content.name || "the file"} …`;
  let answer;
  try {
    const response = await fetch("/screen", { method: "POST", body: content, headers: { "content-type": "application/octet-stream" } });
    answer = await response.json();
  } catch {
    answer = { error: "The demonstration does not answer. Is it still running? Start it with make run." };
  }
  if (turn !== asked) return; // another file was dropped meanwhile
  if (answer.error) { status.textContent = answer.error; return; }
  status.textContent = "";
  show(answer, content);
}

function show(verdict, content) {
  const matches = verdict.matches.filter((match) => !match.suppressed_by);
  const decision = byId("decision");
  decision.textContent = SAID[verdict.decision];
  decision.dataset.decision = verdict.decision;
  const took = `${verdict.timings.total_ms.toFixed(0)} ms`;
  byId("why").textContent = verdict.reasons.length
    ? `${verdict.reasons[0].message} (${took})` : `Nothing on the lists is near it (${took})`;
  byId("rows").replaceChildren(...matches.map(row));
  byId("matches").hidden = matches.length === 0;
  picture(content, matches);
  result.hidden = false;
  decision.focus();
}

function row(match) {
  const line = document.createElement("tr");
  const cells = [`${match.bank} #${match.entry_id}`, match.signal, `${match.distance} of at most ${match.threshold}`, match.view, match.part || "–"];
  for (const text of cells) {
    const cell = document.createElement("td");
    cell.textContent = text;
    line.append(cell);
  }
  return line;
}

function picture(content, matches) {
  const [image, frame, figure] = ["picture", "frame", "figure"].map(byId);
  URL.revokeObjectURL(image.src);
  frame.querySelectorAll(".region").forEach((old) => old.remove());
  figure.hidden = true;
  image.onload = () => { figure.hidden = false; }; // what the browser cannot show stays away
  image.src = URL.createObjectURL(content);
  image.alt = content.name ? `The file ${content.name}` : "The file";
  const match = matches.find((one) => one.region && !one.part) || matches.find((one) => !one.part);
  if (!match) { byId("caption").textContent = ""; return; }
  const { left, top, right, bottom } = match.region || { left: 0, top: 0, right: 1, bottom: 1 };
  const box = document.createElement("div");
  box.className = "region";
  Object.assign(box.style, {
    left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%`,
  });
  frame.append(box);
  byId("caption").textContent = match.region
    ? `The frame is where ${match.bank} #${match.entry_id} was found, seen as "${match.view}".`
    : `The whole picture matches ${match.bank} #${match.entry_id}.`;
}

file.addEventListener("change", () => { if (file.files.length) screen(file.files[0]); file.value = ""; });
for (const kind of ["dragover", "dragenter"]) {
  window.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
window.addEventListener("dragleave", () => drop.classList.remove("over"));
window.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  const [dropped] = event.dataTransfer.files;
  if (dropped) screen(dropped); else status.textContent = "That is not a file.";
});
