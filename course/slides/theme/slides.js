// Formulas first, then the deck; `ready` on the page says that both are done.
"use strict";

(async () => {
  await MathJax.startup.promise;
  await MathJax.typesetPromise([...document.querySelectorAll(".slide")]);
  await Reveal.initialize({
    width: 1280,
    height: 720,
    margin: 0,
    center: false,
    hash: true,
    transition: "none",
    backgroundTransition: "none",
    pdfSeparateFragments: false,
    plugins: [RevealNotes],
  });
  document.documentElement.classList.add("ready");
})();
