// What the theme leaves out for readers who use the keyboard or listen. Without it every page still reads.
"use strict";

// What scrolls can be reached by the keyboard, and only what scrolls.
const BOXES =
  "article pre, article div.math, article mjx-container[display], article .cell_output, article .cell_output > .output, article .pst-scrollable-table-container";

function openBoxes() {
  for (const box of document.querySelectorAll(BOXES)) {
    const scrolls = box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX !== "visible";
    if (scrolls) box.tabIndex = 0;
    else if (box.getAttribute("tabindex") === "0") box.removeAttribute("tabindex");
  }
}

// A button whose words name it needs no label that says less, and the pictures in one that has a label need no words.
function nameButtons() {
  const named = "button.search-button-field, article details > summary";
  for (const button of document.querySelectorAll(named)) button.removeAttribute("aria-label");
  for (const picture of document.querySelectorAll("button[aria-label] svg")) {
    picture.querySelectorAll("title").forEach((title) => title.remove());
    picture.removeAttribute("role");
    picture.setAttribute("aria-hidden", "true");
  }
}

// A list whose children are no list items says so by its role, and wrongly.
function plainBibliography() {
  for (const list of document.querySelectorAll(".citation-list")) {
    list.removeAttribute("role");
    for (const entry of list.querySelectorAll("[role^=doc-biblio]")) entry.removeAttribute("role");
  }
}

// A table without a caption is called as its section is; the index is no table but four columns.
function nameTables() {
  for (const table of document.querySelectorAll("article table")) {
    const heading = table.closest("section")?.querySelector("h1, h2, h3, h4");
    if (table.matches(".indextable")) table.setAttribute("role", "presentation");
    else if (!table.caption && heading) table.setAttribute("aria-label", heading.firstChild.textContent.trim());
  }
}

nameButtons();
plainBibliography();
nameTables();
openBoxes();

// Icons are drawn late, and boxes change with the window, the side bars, folds and formulas.
for (const button of document.querySelectorAll("button[aria-label]")) {
  new MutationObserver(nameButtons).observe(button, { childList: true, subtree: true });
}
const article = document.querySelector("article");
if (article) new ResizeObserver(openBoxes).observe(article);
window.addEventListener("resize", openBoxes);
window.addEventListener("load", () => {
  if (window.MathJax && MathJax.startup && MathJax.startup.promise) MathJax.startup.promise.then(openBoxes);
});
document.addEventListener("toggle", openBoxes, true);
