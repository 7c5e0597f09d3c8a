"use strict";
(() => {
  // The page is complete without this script: it adds a switch of the theme, sorting and copying.
  function button(name, text, action) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = name;
    made.textContent = text;
    made.addEventListener("click", action);
    return made;
  }

  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.style.colorScheme ? root.style.colorScheme === "dark" : system.matches);
  const theme = button("theme", "", () => {
    root.style.colorScheme = isDark() ? "light" : "dark";
    nameTheme();
  });
  function nameTheme() {
    theme.textContent = isDark() ? "Light theme" : "Dark theme";
  }
  system.addEventListener("change", nameTheme);
  nameTheme();
  document.querySelector("header").prepend(theme);

  // A cell as a number: "88.3 µJ" is 88.3e-6, "-" and text are NaN.
  const powers = { a: -18, f: -15, p: -12, n: -9, "µ": -6, m: -3, k: 3, M: 6, G: 9, T: 12 };
  const pattern =
    /^([-+]?\d*\.?\d+(?:e[-+]?\d+)?)(?:\s*([afpnµmkMGT])(?=(?:A|V|J|W|s|Hz|Ω|ohm|m|F|S|K)(?![A-Za-z])))?/;
  function number(text) {
    const found = pattern.exec(text);
    return found ? Number(found[1]) * 10 ** (powers[found[2]] ?? 0) : NaN;
  }

  const words = (cell) => cell.textContent.trim().replace(/\s+/g, " ");

  function sort(table, column) {
    const heads = [...table.tHead.rows[0].cells];
    const sign = heads[column].ariaSort === "ascending" ? -1 : 1;
    heads.forEach((head, place) => {
      head.ariaSort = place === column ? (sign > 0 ? "ascending" : "descending") : null;
    });
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => ({ row, text: words(row.cells[column]) }));
    const missing = ({ text }) => text === "" || text === "-";
    const numeric = keyed.every((one) => missing(one) || !Number.isNaN(number(one.text)));
    const compare = (one, other) =>
      numeric
        ? number(one.text) - number(other.text)
        : one.text.localeCompare(other.text, "en", { numeric: true });
    // What is missing stands last in both directions.
    keyed.sort((one, other) => missing(one) - missing(other) || (missing(one) ? 0 : sign * compare(one, other)));
    body.append(...keyed.map(({ row }) => row));
  }

  async function copy(table, pressed) {
    const text = [...table.rows].map((row) => [...row.cells].map(words).join("\t")).join("\n");
    try {
      await navigator.clipboard.writeText(text);
      pressed.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(table);
      pressed.textContent = "Selected: copy it with your keyboard";
    }
    setTimeout(() => (pressed.textContent = "Copy table"), 3000);
  }

  for (const table of document.querySelectorAll("table")) {
    const heads = [...table.tHead.rows[0].cells];
    if (heads.length > 1 && table.tBodies[0].rows.length > 2) {
      heads.forEach((head, column) => {
        const name = head.textContent;
        if (name) head.replaceChildren(button("sort", name, () => sort(table, column)));
      });
    }
    const made = button("copy", "Copy table", () => copy(table, made));
    made.ariaLive = "polite";
    table.closest(".table").append(made);
  }

  // Paper shows what is folded away.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((one) => (one.open = true));
  });
  addEventListener("afterprint", () => folded.forEach((one) => (one.open = false)));
})();
