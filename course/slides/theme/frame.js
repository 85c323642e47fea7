// A figure to play with sits in a frame of its own.  While it has the focus, the keys that it does not use turn the slides.
"use strict";

addEventListener("keydown", (event) => {
  const method = { PageDown: "next", PageUp: "prev", Escape: "toggleOverview" }[event.key];
  if (!method || window === parent) return;
  event.preventDefault();
  parent.postMessage(JSON.stringify({ method, args: [] }), "*");
});
