// Keys: single letters act as the page says with data-key, unless the person switched them off or is typing.
// A letter presses a button or follows a link; j and k walk a list; ? opens the list of keys; Esc goes back to the page.
"use strict";

const shortcuts = document.documentElement.dataset.shortcuts === "on";
const help = document.getElementById("keys");

function typing(target) {
  return target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]") !== null;
}

function walk(step) {
  const rows = [...document.querySelectorAll("[data-row]")];
  if (rows.length === 0) return;
  const at = rows.indexOf(document.activeElement);
  const to = at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step));
  rows[to].focus();
}

// Of several places that a key leads to, the one in the section that is most in the window.
function nearest(targets) {
  const shown = (target) => {
    const box = (target.closest("section") ?? target).getBoundingClientRect();
    return Math.min(box.bottom, window.innerHeight) - Math.max(box.top, 0);
  };
  return [...targets].reduce((best, one) => (best && shown(best) >= shown(one) ? best : one), null);
}

// The pages stand in one row that scrolls on a narrow screen: the one that is open is in it.
document.querySelector("header.top [aria-current=page]")?.scrollIntoView({ block: "nearest", inline: "center" });

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) document.activeElement.blur();
  if (!shortcuts || event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) return;
  if (document.querySelector("dialog[open]") && event.key !== "?") return;
  if (event.key === "j" || event.key === "k") return walk(event.key === "j" ? 1 : -1);
  if (event.key === "?" && help) return help.open ? help.close() : help.showModal();
  if (!/^[a-z0-9]$/.test(event.key)) return;
  const target = nearest(document.querySelectorAll(`[data-key="${event.key}"]`));
  if (!target) return;
  event.preventDefault();
  target.focus();
  if (target.matches("a, button, input[type=radio], input[type=checkbox], summary")) target.click();
});

for (const button of document.querySelectorAll("[data-opens-keys]")) {
  button.addEventListener("click", () => help.showModal());
}

// A form is sent once, however often it is pressed; what is wrong is said beside its field, and what was typed stays.
function say(form, text, name) {
  for (const old of document.querySelectorAll("[data-error]")) old.remove();
  const field = name ? [...form.elements].find((one) => one.name === name || one.name.startsWith(`${name}-`)) : null;
  const message = document.createElement("p");
  message.className = "error";
  message.dataset.error = "";
  message.id = "error";
  message.setAttribute("role", "alert");
  message.textContent = text;
  const place = field?.closest(".field, fieldset");
  if (place) place.append(message);
  else form.append(message);
  if (field) {
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", "error");
  }
  (field ?? form.querySelector("button"))?.focus();
  message.scrollIntoView({ block: "nearest" });
}

// An answer of the guard, before any page, is plain text.
async function read(response) {
  const isOurs = response.headers.get("Content-Type")?.startsWith("application/json");
  return isOurs ? response.json() : { detail: await response.text() };
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent === "yes") return event.preventDefault();
  form.dataset.sent = "yes";
  const button = event.submitter ?? form.querySelector("button");
  button?.setAttribute("aria-busy", "true");
  if (form.dataset.plain !== undefined) return; // its answer is a page, such as a link that is shown once
  event.preventDefault();
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  try {
    const response = await fetch(form.action, {
      method: "POST", body: new URLSearchParams(new FormData(form, event.submitter)), credentials: "same-origin",
      headers: { Accept: "application/json" }, cache: "no-store",
    });
    const answer = await read(response);
    if (response.ok && answer.to) return window.location.assign(answer.to);
    if (response.status === 401) return window.location.reload();
    say(form, answer.detail, answer.field);
  } catch (error) {
    say(form, error.message);
  }
  delete form.dataset.sent;
  button?.removeAttribute("aria-busy");
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
  for (const button of document.querySelectorAll("button[aria-busy]")) button.removeAttribute("aria-busy");
});

// A decision can be undone for some seconds; then the button goes.
for (const form of document.querySelectorAll("[data-lasts]")) {
  setTimeout(() => form.remove(), Number(form.dataset.lasts) * 1000);
}

// A long list of ticks: all or none at once, and how many there are.
for (const says of document.querySelectorAll("[data-ticked]")) {
  const ticks = [...document.querySelectorAll(`input[type=checkbox][name="${says.dataset.ticked}"]`)];
  const count = () => {
    says.textContent = `${ticks.filter((one) => one.checked).length} / ${ticks.length} ${says.dataset.says}`;
  };
  for (const one of ticks) one.addEventListener("change", count);
  for (const button of document.querySelectorAll(`[data-tick="${says.dataset.ticked}"]`)) {
    button.addEventListener("click", () => {
      for (const one of ticks) one.checked = button.dataset.to === "all";
      count();
    });
  }
  count();
}

// Several items of a case: how many have a decision, and the same for others of a label.
const decides = [...document.querySelectorAll("[data-decides][data-number]")];
const counts = document.querySelector("[data-counts]");
function chosen(one) { return one.querySelector("input[type=radio]:checked"); }
function count() {
  if (counts) counts.textContent = `${decides.filter(chosen).length} / ${decides.length} ${counts.dataset.says}`;
}
for (const one of decides) one.addEventListener("change", count);
for (const button of document.querySelectorAll("[data-same]")) {
  button.addEventListener("click", () => {
    const own = decides.find((one) => one.dataset.number === button.dataset.same);
    const outcome = chosen(own);
    if (!outcome) return own.querySelector("input").focus();
    for (const other of document.querySelectorAll("[data-same]")) {
      const one = decides.find((decided) => decided.dataset.number === other.dataset.same);
      if (one === own || chosen(one) || other.dataset.like !== button.dataset.like) continue;
      one.querySelector(`input[value="${outcome.value}"]`).checked = true;
      one.querySelector("select").value = own.querySelector("select").value;
    }
    count();
  });
}
