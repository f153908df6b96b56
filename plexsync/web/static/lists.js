// Lists: one box in the heading ticks all rows that the page shows. Without this script they are ticked one by one.
"use strict";

(() => {
  function prepare(root) {
    for (const table of root.querySelectorAll("table.picks")) {
      const head = table.tHead.rows[0].cells[0];
      if (head.querySelector("input")) continue;
      const box = root.ownerDocument.createElement("input");
      box.type = "checkbox";
      box.setAttribute("aria-label", "Tick all rows");
      head.replaceChildren(box);
    }
  }

  // A list that comes anew is ticked as the one that it replaces.
  function carry(before, after) {
    prepare(after);
    const ticked = new Set([...before.querySelectorAll("input[name=pick]:checked")].map((box) => box.value));
    for (const box of after.querySelectorAll("input[name=pick]")) box.checked = ticked.has(box.value);
    const all = before.querySelector("table.picks thead input")?.checked;
    const box = after.querySelector("table.picks thead input");
    if (box) box.checked = Boolean(all);
  }

  document.addEventListener("change", (event) => {
    if (!event.target.matches("table.picks thead input")) return;
    for (const box of event.target.closest("table").querySelectorAll("input[name=pick]")) box.checked = event.target.checked;
  });

  prepare(document.body);
  window.plexsyncLists = { carry };
})();
