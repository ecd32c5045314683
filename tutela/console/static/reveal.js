// The reveal. While a key or the pointer is held, small grey renditions come one by one, each clearer than the last;
// let go, look away, or wait too long, and everything is covered. Pictures live only in memory, as object URLs.
"use strict";

class Reveal {
  constructor(root) {
    this.root = root;
    this.image = root.querySelector("img");
    this.stage = root.querySelector(".stage");
    this.button = root.querySelector("[data-hold]");
    this.says = root.querySelector("[data-says]");
    this.time = root.querySelector("progress");
    this.frames = 1;
    this.frame = -1; // -1 is the whole: the picture, or a contact sheet of a video
    this.held = 0; // the number of the hold that counts; 0 is none
    this.holds = 0;
    this.presses = document.documentElement.dataset.press === "on";
    this.csrf = document.querySelector("meta[name=csrf]").content;
    this.listen();
  }

  listen() {
    const start = (event) => {
      event.preventDefault();
      if (this.presses && this.held) this.cover();
      else if (!this.held) this.uncover();
    };
    const stop = () => { if (!this.presses) this.cover(); };
    this.button.addEventListener("pointerdown", (event) => {
      if (event.button === 0) start(event);
    });
    for (const name of ["pointerup", "pointercancel", "pointerleave"]) this.button.addEventListener(name, stop);
    document.addEventListener("keydown", (event) => {
      if (!this.counts(event)) return;
      event.preventDefault();
      if (event.key === "ArrowRight" || event.key === "ArrowLeft") this.step(event.key === "ArrowRight" ? 1 : -1);
      else if (!event.repeat) start(event);
    });
    document.addEventListener("keyup", (event) => {
      if (event.key === " " || event.key === "Enter") stop();
    });
    for (const name of ["blur", "pagehide"]) window.addEventListener(name, () => this.cover());
    document.addEventListener("visibilitychange", () => { if (document.hidden) this.cover(); });
    new IntersectionObserver((entries) => {
      if (entries.at(-1).intersectionRatio < 0.3) this.cover();
    }, { threshold: [0, 0.3] }).observe(this.stage);
    this.root.addEventListener("contextmenu", (event) => event.preventDefault());
    this.root.addEventListener("dragstart", (event) => event.preventDefault());
  }

  // The space bar counts on the button and, where single keys are on, wherever the focus is: only a field that is typed
  // in keeps it. It uncovers the item that is in view.
  counts(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return false;
    const focus = document.activeElement, here = focus === this.button;
    if (event.key === "Enter") return here;
    if (event.key.startsWith("Arrow")) return here && this.frames > 1;
    if (event.key !== " ") return false;
    if (here || focus.matches("[data-hold]")) return here;
    return document.documentElement.dataset.shortcuts === "on" && !focus.matches("textarea, input[type=text]")
      && (this.held !== 0 || Reveal.inView() === this);
  }

  // How much of the stage is in the window: 0 is none, 1 is all.
  share() {
    const box = this.stage.getBoundingClientRect();
    const shown = Math.min(box.bottom, window.innerHeight) - Math.max(box.top, 0);
    return box.height > 0 ? Math.max(0, shown) / box.height : 0;
  }

  // The reveal that is most in view.
  static inView() {
    return Reveal.all.reduce((best, one) => (best && best.share() >= one.share() ? best : one), null);
  }

  step(by) {
    this.cover();
    this.frame = Math.min(this.frames - 1, Math.max(-1, this.frame + by));
    this.says.textContent = this.frame < 0
      ? this.root.dataset.saysSheet : `${this.root.dataset.saysFrame} ${this.frame + 1} / ${this.frames}`;
  }

  async uncover() {
    // What is not in the window is not shown, and so not counted either.
    if (this.share() < 0.9) this.stage.scrollIntoView({ block: "center", behavior: "instant" });
    if (this.share() < 0.3) return;
    const hold = this.held = ++this.holds;
    this.root.dataset.state = "asking";
    try {
      const begun = await (await this.post(this.root.dataset.reveal, { frame: String(this.frame) })).json();
      this.token = begun.token;
      this.frames = begun.frames;
      if (this.held !== hold) return this.end();
      await this.show(hold, begun);
    } catch (error) {
      if (this.held === hold) this.cover();
      this.says.textContent = error.message;
    }
  }

  async show(hold, begun) {
    const began = performance.now();
    this.time.max = begun.lasts_ms;
    for (let step = 0; step < begun.steps && this.held === hold; step += 1) {
      const picture = await (await this.post(`/reveals/${begun.token}/steps/${step}`)).blob();
      if (this.held !== hold) return;
      this.put(picture);
      this.says.textContent = `${this.root.dataset.saysStep} ${step + 1} / ${begun.steps}`;
      if (step === 0) {
        this.timer = setTimeout(() => this.cover(), begun.lasts_ms);
        this.ticker = setInterval(() => { this.time.value = performance.now() - began; }, 100);
      }
      await new Promise((resolve) => setTimeout(resolve, begun.pace_ms + 40));
    }
    if (this.held === hold && begun.waits) this.says.textContent = this.root.dataset.saysWaits;
  }

  put(picture) {
    const old = this.image.src;
    this.image.src = URL.createObjectURL(picture);
    this.image.hidden = false;
    this.root.dataset.state = "open";
    if (old) URL.revokeObjectURL(old);
  }

  cover() {
    if (!this.held) return;
    this.held = 0;
    clearTimeout(this.timer);
    clearInterval(this.ticker);
    this.time.value = 0;
    const old = this.image.src;
    this.image.hidden = true;
    this.image.removeAttribute("src");
    if (old) URL.revokeObjectURL(old);
    this.root.dataset.state = "covered";
    this.says.textContent = this.root.dataset.saysCovered;
    this.end();
  }

  async end() {
    const token = this.token;
    this.token = undefined;
    if (!token) return;
    try {
      const told = await (await this.post(`/reveals/${token}/end`)).json();
      for (const name of ["items", "seconds"]) {
        const seen = document.querySelector(`[data-seen-${name}]`);
        if (seen) seen.textContent = told[name];
      }
    } catch { /* it ended by itself */ }
  }

  async post(path, fields) {
    const response = await fetch(path, {
      method: "POST", body: new URLSearchParams(fields ?? {}), keepalive: true, cache: "no-store",
      headers: { Accept: "application/json", "X-CSRF-Token": this.csrf }, credentials: "same-origin",
    });
    if (!response.ok) throw new Error((await response.json()).detail);
    return response;
  }
}

Reveal.all = [...document.querySelectorAll("[data-reveal]")].map((root) => new Reveal(root));
