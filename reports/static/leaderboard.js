"use strict";
(() => {
  // Numbers before text; what has no key stands last whichever way it is sorted.
  const key = (row, column) => {
    const text = row.cells[column].dataset.key;
    const number = Number(text);
    return text === "" ? null : Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => {
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return typeof a === "number" ? a - b : a < b ? -1 : a > b ? 1 : 0;
  };
  const sort = (table, head, way) => {
    const body = table.tBodies[0], column = head.cellIndex, sign = way === "ascending" ? 1 : -1;
    const rows = Array.from(body.rows, (row) => [key(row, column), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * compare(a, b);
    });
    body.append(...rows.map(([, row]) => row));
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", way);
  };
  for (const table of document.querySelectorAll("table[data-sorts]")) {
    for (const head of table.tHead.rows[0].cells) {
      const first = head.dataset.first;
      if (!first) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      const other = first === "ascending" ? "descending" : "ascending";
      button.addEventListener("click", () => {
        sort(table, head, head.getAttribute("aria-sort") === first ? other : first);
      });
    }
  }
  for (const form of document.querySelectorAll("form.filters")) {
    const table = document.getElementById(form.dataset.for);
    const search = form.querySelector("input[type=search]");
    const boxes = Array.from(form.querySelectorAll("input[type=checkbox]"));
    const said = form.querySelector("[role=status]");
    const filter = () => {
      const wanted = search.value.trim().toLowerCase();
      let seen = 0;
      for (const row of table.tBodies[0].rows) {
        const marks = row.dataset.marks.split(" ");
        const kept = boxes.every(({ value, checked }) =>
          value.startsWith("+") ? !checked || marks.includes(value.slice(1)) : checked || !marks.includes(value));
        row.hidden = !(kept && row.cells[0].textContent.toLowerCase().includes(wanted));
        seen += !row.hidden;
      }
      const all = table.tBodies[0].rows.length;
      said.textContent = `${seen} of ${all} row${all === 1 ? "" : "s"}`;
    };
    form.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    filter();
  }
})();
