// Lists: a heading sorts the rows that the page shows, numbers as numbers and times as times, and one box ticks all rows.
// Without this script the rows stay as the server sent them, and are ticked one by one.
"use strict";

(() => {
  const order = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  // How a list is sorted, by the id of the element that it is in: the column and the direction.
  const sorting = new Map();

  function home(table) {
    return table.closest("[id]")?.id ?? "";
  }

  function value(row, column) {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.querySelector("time")?.dateTime ?? cell.textContent.trim();
    const number = Number(text.replaceAll(",", ""));
    return text !== "" && Number.isFinite(number) ? number : text;
  }

  function compare(left, right) {
    if (typeof left === "number" && typeof right === "number") return left - right;
    if (typeof left !== typeof right) return typeof left === "number" ? -1 : 1;
    return order.compare(left, right);
  }

  function arrange(table) {
    const by = sorting.get(home(table));
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (by?.column === column) head.setAttribute("aria-sort", by.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    if (!by) return;
    const rows = [...table.tBodies[0].rows].map((row) => [value(row, by.column), row]);
    rows.sort((left, right) => (by.down ? -1 : 1) * compare(left[0], right[0]));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  }

  function prepare(root) {
    for (const table of root.querySelectorAll("table.sortable")) {
      for (const head of table.tHead.rows[0].cells) {
        if ("unsorted" in head.dataset || head.querySelector("button")) continue;
        const button = root.ownerDocument.createElement("button");
        button.type = "button";
        button.className = "sort";
        button.append(...head.childNodes);
        head.append(button);
      }
      arrange(table);
    }
    for (const table of root.querySelectorAll("table.picks")) {
      const head = table.tHead.rows[0].cells[0];
      if (head.querySelector("input")) continue;
      const box = root.ownerDocument.createElement("input");
      box.type = "checkbox";
      box.setAttribute("aria-label", "Tick all rows");
      head.replaceChildren(box);
    }
  }

  // A list that comes anew is sorted and ticked as the one that it replaces.
  function carry(before, after) {
    prepare(after);
    const ticked = new Set([...before.querySelectorAll("input[name=pick]:checked")].map((box) => box.value));
    for (const box of after.querySelectorAll("input[name=pick]")) box.checked = ticked.has(box.value);
    const all = before.querySelector("table.picks thead input")?.checked;
    const box = after.querySelector("table.picks thead input");
    if (box) box.checked = Boolean(all);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.sort");
    if (!button) return;
    const head = button.closest("th");
    const table = head.closest("table");
    const before = sorting.get(home(table));
    sorting.set(home(table), { column: head.cellIndex, down: before?.column === head.cellIndex && !before.down });
    arrange(table);
  });

  document.addEventListener("change", (event) => {
    if (!event.target.matches("table.picks thead input")) return;
    for (const box of event.target.closest("table").querySelectorAll("input[name=pick]")) box.checked = event.target.checked;
  });

  prepare(document.body);
  window.plexsyncLists = { carry };
})();
