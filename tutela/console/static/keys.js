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

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) document.activeElement.blur();
  if (!shortcuts || event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) return;
  if (document.querySelector("dialog[open]") && event.key !== "?") return;
  if (event.key === "j" || event.key === "k") return walk(event.key === "j" ? 1 : -1);
  if (event.key === "?" && help) return help.open ? help.close() : help.showModal();
  if (!/^[a-z0-9]$/.test(event.key)) return;
  const target = document.querySelector(`[data-key="${event.key}"]`);
  if (!target) return;
  event.preventDefault();
  target.focus();
  if (target.matches("a, button, input[type=radio], input[type=checkbox], summary")) target.click();
});

for (const button of document.querySelectorAll("[data-opens-keys]")) {
  button.addEventListener("click", () => help.showModal());
}

// A form that cannot be undone is sent once, however often it is pressed.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent === "yes") event.preventDefault();
  event.target.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});
