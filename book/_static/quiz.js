// A choice opens what is said about it, and whoever listens hears it. Without this script it is opened by hand.
"use strict";

for (const quiz of document.querySelectorAll("details.quiz")) {
  const show = () => {
    for (const choice of quiz.querySelectorAll(".choice")) {
      choice.querySelector("details").open = choice.querySelector("input").checked;
    }
  };
  quiz.classList.add("scripted");
  for (const why of quiz.querySelectorAll(".why")) why.setAttribute("role", "status");
  quiz.addEventListener("change", show);
  show(); // a browser may remember what was chosen

  // The keyboard goes from question to question, and does not stop at formulas.
  window.addEventListener("load", () => {
    if (!window.MathJax || !MathJax.startup || !MathJax.startup.promise) return;
    MathJax.startup.promise.then(() => {
      for (const formula of quiz.querySelectorAll("mjx-container")) formula.removeAttribute("tabindex");
    });
  });

  // On paper the questions are open.
  let open = quiz.open;
  window.addEventListener("beforeprint", () => {
    open = quiz.open;
    quiz.open = true;
  });
  window.addEventListener("afterprint", () => {
    quiz.open = open;
  });
}
