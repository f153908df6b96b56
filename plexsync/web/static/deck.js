// Keys of the deck of problems: each clicks the button, the link or the box that it stands beside. Who does not want them
// switches them off. Without this script the buttons are as good.
"use strict";

(() => {
  const OFF = "plexsync-keys-off";
  const box = document.querySelector("#keys input");
  let clicked = false;

  // A browser that keeps nothing has the keys on.
  function kept(value) {
    try {
      if (value === undefined) return localStorage.getItem(OFF) === "1";
      localStorage.setItem(OFF, value ? "1" : "0");
    } catch {}
    return false;
  }

  box.closest("[hidden]").hidden = false;
  box.checked = !kept();
  box.addEventListener("change", () => kept(!box.checked));

  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input:not([type=checkbox]), select, textarea");
    if (!box.checked || typing || clicked || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    const control = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
    if (!control) return;
    event.preventDefault();
    // A second press would be for a problem that is not seen yet.
    clicked = !control.matches("input");
    control.click();
  });

  // A page that the browser has kept is used again.
  addEventListener("pageshow", () => {
    clicked = false;
  });
})();
