"use strict";
document.documentElement.classList.add("scripted");
const key = cell => { const text = cell.dataset.value ?? cell.textContent.trim(); const number = Number(text); return text !== "" && !Number.isNaN(number) ? number : text; };
const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b : typeof a === "number" ? -1 : typeof b === "number" ? 1 : a.localeCompare(b, "en", { numeric: true });
for (const table of document.querySelectorAll("table")) {
  table.querySelectorAll("th").forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      table.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      const body = table.tBodies[0];
      body.append(...[...body.rows].sort((a, b) => sign * compare(key(a.cells[column]), key(b.cells[column]))));
    });
  });
}
const dialog = document.querySelector("dialog");
let home = null;
for (const button of document.querySelectorAll(".enlarge")) {
  button.addEventListener("click", () => { home = button.parentElement; dialog.append(home.querySelector("svg")); dialog.showModal(); });
}
dialog.addEventListener("close", () => home?.append(dialog.querySelector("svg")));
