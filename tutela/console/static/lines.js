// Lines of a conversation are covered, and shown only while the pointer or Space is held on them.
"use strict";

for (const lines of document.querySelectorAll("[data-held]")) {
  const show = (shown) => lines.classList.toggle("covered", !shown);
  lines.addEventListener("pointerdown", (event) => { if (event.button === 0) show(true); });
  for (const end of ["pointerup", "pointerleave", "pointercancel", "blur"]) lines.addEventListener(end, () => show(false));
  lines.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    show(true);
  });
  lines.addEventListener("keyup", (event) => { if (event.key === " ") show(false); });
  document.addEventListener("visibilitychange", () => show(false));
}
