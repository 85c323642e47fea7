// Formulas are set once, before reveal.js hides the slides; their size does not depend on what is shown.
"use strict";

window.MathJax = {
  tex: { inlineMath: [["\\(", "\\)"]], displayMath: [["\\[", "\\]"]] },
  chtml: { matchFontHeight: false, scale: 1.2, displayAlign: "left", displayIndent: "0" },
  options: { enableMenu: false, skipHtmlTags: { "[+]": ["aside"] } },
  startup: { typeset: false },
};
