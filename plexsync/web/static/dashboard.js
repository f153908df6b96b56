// Keeps an open page up to date: when the server says that something has changed, the page is fetched anew, and each element
// with data-live is replaced by the one of the same id. Without this script a page is as good, and is reloaded by hand.
// The server says something at least every five seconds. After three times of silence, or of answers that fail, the page says
// that the server does not answer and how old its figures are, and takes their colours away.
"use strict";

(() => {
  const PACE = 1000;
  // Milliseconds until a line that was refused is asked for again.
  const AGAIN = 3000;
  const SILENCE = 15000;
  const LIVE = "Live: this page keeps itself up to date.";
  const LOST = "The connection to PlexSync is lost. Trying again.";
  const FOCUSABLE = "a[href], button, summary, input:not([type=hidden]), select, textarea, [tabindex]";
  const state = document.getElementById("live-state");
  const warning = document.getElementById("stale");
  let waiting = false;
  let last = 0;
  let line = null;
  let opening = 0;
  // When the figures were right, and since when somebody sees them.
  let fresh = Date.now();
  let seen = Date.now();
  let lost = false;

  function lives() {
    return document.querySelectorAll("[data-live][id]");
  }

  function busy(element) {
    const at = document.activeElement;
    return element.contains(at) && at.matches("input, select, textarea");
  }

  // What tells a control from the others of its section: where it leads and what its form sends, else what it says.
  function mark(control) {
    const sent = control.form ? [...new FormData(control.form)].filter(([name]) => name !== "token") : [];
    const leads = control.getAttribute("href") ?? control.form?.getAttribute("action");
    const says = leads ?? control.getAttribute("aria-label") ?? control.textContent.trim();
    return JSON.stringify([control.id, control.tagName, says, sent]);
  }

  function alike(element, said) {
    return [...element.querySelectorAll(FOCUSABLE)].filter((one) => mark(one) === said);
  }

  // Puts the other in the place of the element. Whoever is in it by keyboard stays at the same control; where that is gone,
  // at the section, and never at a control that does something else.
  function swap(element, other) {
    const at = document.activeElement;
    const inside = element.contains(at);
    const said = inside && at !== element ? mark(at) : "";
    const place = said ? alike(element, said).indexOf(at) : -1;
    element.replaceWith(document.adoptNode(other));
    if (!inside) return;
    const control = said ? alike(other, said)[place] : null;
    if (!control) other.tabIndex = -1;
    (control ?? other).focus({ preventScroll: true });
  }

  // What was opened or closed by hand stays so.
  function keepOpen(element, other) {
    const were = element.querySelectorAll("details");
    other.querySelectorAll("details").forEach((one, number) => {
      if (were[number]) one.open = were[number].open;
    });
  }

  function take(text) {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    // After a new start of PlexSync the forms that stay need the token of the session that is new as well.
    const token = fresh.querySelector("input[name=token]")?.value;
    if (token) for (const field of document.querySelectorAll("input[name=token]")) field.value = token;
    for (const element of lives()) {
      const other = fresh.getElementById(element.id);
      if (!other || busy(element)) continue;
      keepOpen(element, other);
      window.plexsyncLists.carry(element, other);
      if (element === document.activeElement) other.tabIndex = -1;
      if (!other.isEqualNode(element)) swap(element, other);
    }
  }

  async function look() {
    waiting = false;
    last = Date.now();
    if (document.hidden) return;
    try {
      // What was read from both servers is read anew only after a change.
      const shown = document.querySelector("[data-shown]")?.dataset.shown ?? "";
      const headers = { "X-Live": "1", "X-Shown": shown };
      const answer = await fetch(location.href, { headers, credentials: "same-origin" });
      if (answer.redirected) location.reload();
      else if (answer.ok) {
        take(await answer.text());
        fresh = Date.now();
        judge();
      }
    } catch {
      // The server is away: the page says so when it has been silent for long, and the next message finds it back.
    }
  }

  function lasting(span) {
    for (const [unit, name] of [[86400000, "d"], [3600000, "h"], [60000, "min"]]) {
      if (span >= unit) return `${Math.round(span / unit)} ${name}`;
    }
    return `${Math.round(span / 1000)} s`;
  }

  // Whether what is shown can still be believed.
  function judge() {
    const now = Date.now();
    const stale = now - Math.max(fresh, seen) >= SILENCE;
    document.body.classList.toggle("stale", stale);
    if (stale && !lost) {
      // A line that hangs does not break by itself.
      close();
      opening = setTimeout(open, AGAIN);
    }
    lost = stale;
    if (stale) say(LOST);
    else if (line?.readyState === EventSource.OPEN) say(LIVE);
    if (!warning) return;
    warning.hidden = !stale;
    const text = stale ? `PlexSync does not answer. What you see here is ${lasting(now - fresh)} old.` : "";
    if (warning.textContent !== text) warning.textContent = text;
  }

  function soon() {
    if (waiting) return;
    waiting = true;
    setTimeout(look, Math.max(0, PACE - (Date.now() - last)) + Math.random() * 100);
  }

  function say(text) {
    if (state && state.textContent !== text) state.textContent = text;
  }

  // On a phone the navigation is wider than the screen: the page and the Plex server that are shown are in sight.
  for (const current of document.querySelectorAll("nav [aria-current]")) {
    current.scrollIntoView({ inline: "center", block: "nearest" });
  }

  // A page that nobody sees has no line: a browser has six for all pages of a server, and questions need some too.
  function open() {
    clearTimeout(opening);
    if (line || document.hidden) return;
    const mine = new EventSource(state.dataset.line);
    line = mine;
    mine.addEventListener("changed", soon);
    mine.addEventListener("open", () => {
      judge();
      soon();
    });
    mine.addEventListener("error", () => {
      say(LOST);
      // The browser goes on by itself after a line that broke, but not after one that was refused.
      if (mine !== line || mine.readyState !== EventSource.CLOSED) return;
      close();
      opening = setTimeout(open, AGAIN + Math.random() * 1000);
      look();
    });
  }

  function close() {
    clearTimeout(opening);
    line?.close();
    line = null;
  }

  if (document.querySelector("main [data-live][id]")) {
    open();
    setInterval(judge, PACE);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return close();
      seen = Date.now();
      open();
      soon();
    });
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
  }
})();
