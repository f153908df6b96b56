// Shows a draft while you type: the form is sent as its Preview button sends it, and only the part about the draft is
// replaced. Once you pause, the scenes that it changes are counted, and the count is asked for until it is complete.
"use strict";

(() => {
  const TYPED = 350;
  const PAUSE = 1200;
  const PACE = 1000;
  const form = document.getElementById("draft-form");
  let timer = 0;
  let current = null;

  async function ask(step, id) {
    current?.abort();
    const mine = (current = new AbortController());
    const body = new URLSearchParams(new FormData(form));
    body.set("do", step);
    try {
      const answer = await fetch(form.action, { method: "POST", body, headers: { "X-Live": "1" }, credentials: "same-origin", signal: mine.signal });
      if (!answer.ok || mine.signal.aborted) return null;
      const other = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
      const place = document.getElementById(id);
      if (!other || !place) return null;
      const open = place.querySelector("details")?.open;
      if (open && other.querySelector("details")) other.querySelector("details").open = true;
      const again = place.contains(document.activeElement) ? document.activeElement.value : null;
      place.replaceWith(document.adoptNode(other));
      if (again) [...other.querySelectorAll("button")].find((button) => button.value === again)?.focus();
      return other;
    } catch {
      // The next change asks again.
      return null;
    }
  }

  function later(act, after) {
    clearTimeout(timer);
    timer = setTimeout(act, after);
  }

  async function count() {
    const part = await ask("count", "draft-count");
    if (part?.hasAttribute("data-running")) later(count, PACE);
  }

  async function preview() {
    if (await ask("preview", "draft")) later(count, PAUSE);
  }

  if (!form) return;
  form.addEventListener("input", () => later(preview, TYPED));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[name=do][form=draft-form]");
    const chosen = /^scene (\d+)$/.exec(button?.value ?? "");
    if (!chosen) return;
    event.preventDefault();
    form.elements.scene.value = chosen[1];
    later(preview, 0);
  });
  if (document.querySelector("#draft-count[data-running]")) later(count, PACE);
})();
