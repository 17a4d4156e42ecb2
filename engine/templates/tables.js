// Tables sort by the column whose head is pressed: up, down, as written. Long ones are searched.
const { compare } = new Intl.Collator();
for (const table of document.querySelectorAll("table")) {
  const head = table.tHead && table.tHead.rows[0], body = table.tBodies[0];
  if (!head || !body || body.rows.length < 2 || body.querySelector("[rowspan]")) continue;
  const written = [...body.rows];
  const number = (text) => {
    const plain = text.replace(/\u2212/g, "-").replace(/[\s\u202f%]/g, "");
    return plain === "" ? NaN : Number(plain);
  };
  [...head.cells].forEach((cell, at) => {
    if (!cell.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener("click", () => {
      const next = { none: "ascending", ascending: "descending", descending: "none" };
      const order = next[cell.getAttribute("aria-sort") || "none"];
      for (const other of head.cells) other.removeAttribute("aria-sort");
      if (order !== "none") cell.setAttribute("aria-sort", order);
      const sign = { none: 0, ascending: 1, descending: -1 }[order];
      const keyed = written.map((row) => {
        const text = row.cells[at].textContent.trim();
        return { row, text, value: number(text) };
      });
      keyed.sort((one, other) => {
        const [x, y] = [one.value, other.value];
        if (isNaN(x) && isNaN(y)) return sign * compare(one.text, other.text);
        // What is no number comes last in either order.
        if (isNaN(x) || isNaN(y)) return sign && (isNaN(x) ? 1 : -1);
        return sign * (x - y);
      });
      body.replaceChildren(...keyed.map(({ row }) => row));
    });
  });
  if (written.length > 60) {
    const search = document.createElement("input");
    search.type = "search";
    search.placeholder = "rows with all these words";
    search.setAttribute("aria-label", search.placeholder);
    const texts = written.map((row) => row.textContent.toLowerCase());
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/\s+/);
      written.forEach((row, at) => (row.hidden = !words.every((word) => texts[at].includes(word))));
    });
    table.parentNode.before(search);
  }
}
