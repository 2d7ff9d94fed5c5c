"use strict";
// Sorting by a column, and the verdict on two chosen rows. Without this script the table and its filters work all the same.
(() => {
  const table = document.getElementById("rows");
  const body = table.tBodies[0];
  const lookup = JSON.parse(document.getElementById("lookup").textContent);
  const compared = document.getElementById("compared");

  const sortBy = (head, index) => {
    const numeric = "numeric" in head.dataset;
    const first = numeric ? "descending" : "ascending";
    const second = numeric ? "ascending" : "descending";
    const order = head.getAttribute("aria-sort") === first ? second : first;
    const sign = order === "ascending" ? 1 : -1;
    const key = row => row.cells[index].dataset.key;
    const compare = (a, b) => numeric ? Number(key(a)) - Number(key(b)) : key(a).localeCompare(key(b));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    body.append(...[...body.rows].sort((a, b) => sign * compare(a, b)));
  };

  [...table.tHead.rows[0].cells].forEach((head, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sortBy(head, index));
    head.replaceChildren(button);
  });

  const describe = (a, b) => {
    const found = lookup.pairs[`${a} ${b}`] || lookup.pairs[`${b} ${a}`];
    if (found) return found;
    const [low, high] = [lookup.rows[a], lookup.rows[b]].sort((x, y) => x - y);
    const reason = low === high ? lookup.same : lookup.apart[`${low} ${high}`];
    return `Not compared: ${reason}.`;
  };

  const chosen = [];
  const show = () => {
    compared.hidden = !chosen.length;
    compared.textContent = chosen.length === 2 ? describe(...chosen) : "Choose a second row to compare with.";
  };
  for (const box of document.querySelectorAll(".choose")) {
    box.hidden = false;
    box.checked = false;
    box.addEventListener("change", () => {
      if (box.checked) chosen.push(box.value);
      else chosen.splice(chosen.indexOf(box.value), 1);
      if (chosen.length > 2) {
        const first = chosen.shift();
        document.querySelector(`.choose[value="${first}"]`).checked = false;
      }
      show();
    });
  }
})();
