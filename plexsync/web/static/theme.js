// The switch between light and dark: without a choice a page follows the browser; a choice is remembered in this browser.
// This script stands in the head and does not wait, so that no page is first drawn in the other colours.
"use strict";

(() => {
  const KEY = "plexsync-theme";
  const root = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      const found = localStorage.getItem(KEY);
      return found === "dark" || found === "light" ? found : "";
    } catch {
      // Storage that is switched off: the choice lasts as long as the page.
      return root.dataset.theme ?? "";
    }
  }

  function isDark() {
    return chosen() ? chosen() === "dark" : prefersDark.matches;
  }

  function apply() {
    const theme = chosen();
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    const button = document.getElementById("theme");
    if (!button) return;
    button.hidden = false;
    button.textContent = isDark() ? "Light mode" : "Dark mode";
  }

  function turn() {
    const theme = isDark() ? "light" : "dark";
    root.dataset.theme = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // As above.
    }
    apply();
  }

  apply();
  prefersDark.addEventListener("change", apply);
  // Another page of this browser.
  addEventListener("storage", apply);
  addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme")?.addEventListener("click", turn);
    apply();
  });
})();
