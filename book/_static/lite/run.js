// Run a chapter on its own page: each cell can be changed and run, by Python in a worker. Nothing is loaded before the
// button is pressed. book/_ext/run_here.py writes the box and the program: all cells, and which of them the page shows.
"use strict";

(() => {
  const box = document.querySelector(".run-here");
  const start = box && box.querySelector("button");
  if (!start) return;
  const worker_file = new URL("worker.js", document.currentScript.src);
  const said = box.querySelector("[role=status]");
  const shown = [...document.querySelectorAll("article .cell")].filter((cell) => cell.querySelector(".cell_input"));
  const cells = JSON.parse(document.getElementById("run-here-program").textContent).map((source) => ({
    source, // null where the page shows the cell
    place: source === null ? shown.shift() : null,
    ran: false,
  }));
  const waiting = [];
  const state = { phase: "off", running: null, waiting };
  let worker = null;
  let since = 0;

  const button = (text, action, label) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    if (label) made.setAttribute("aria-label", label);
    made.addEventListener("click", action);
    return made;
  };
  const say = (text) => (said.textContent = text);
  const seconds = (number) => `${number < 10 ? number.toFixed(1) : Math.round(number)} s`;
  const code = (cell) => (cell.place ? cell.place.querySelector(".cell_input pre").textContent : cell.source);

  function begin() {
    state.phase = "starting";
    since = performance.now();
    worker = new Worker(worker_file, { type: "module" });
    worker.onmessage = ({ data }) => hear(data);
    worker.onerror = (fault) => broken(fault.message || "the worker could not be loaded");
  }

  function broken(text) {
    worker.terminate();
    waiting.length = 0;
    state.phase = "off";
    start.hidden = false;
    say(`Python did not start: ${text}. The rest of the page is as it was.`);
  }

  function hear({ kind, text, cell, whole, seconds: took }) {
    if (kind === "step") say(`${text} …`);
    else if (kind === "broken") broken(text);
    else if (kind === "ready") {
      state.phase = "ready";
      say(`Python is ready, after ${seconds((performance.now() - since) / 1000)}. Run a cell, or all of them; change what you like.`);
      next();
    } else if (kind === "done") finish(cells[cell], whole, took);
    else put(cells[cell], kind, text);
  }

  function next() {
    if (state.phase !== "ready" || state.running !== null || !waiting.length) return;
    state.running = waiting.shift();
    const cell = cells[state.running];
    if (cell.place) {
      cell.output.replaceChildren();
      cell.place.classList.add("run-ran");
      cell.said.textContent = "running …";
    }
    say(`Running cell ${state.running + 1} of ${cells.length} …`);
    worker.postMessage({ cell: state.running, name: `cell ${state.running + 1}`, source: code(cell) });
  }

  function finish(cell, whole, took) {
    state.running = null;
    cell.ran = whole;
    cell.took = took;
    if (cell.place) cell.said.textContent = whole ? `ran in ${seconds(took)}` : "stopped at an error";
    if (!whole) {
      waiting.length = 0;
      say(`Cell ${cells.indexOf(cell) + 1} stopped at an error, which stands under it.`);
      if (!cell.place) say(`A hidden cell stopped at an error: ${cell.fault}`);
    } else if (!waiting.length) {
      const all = cells.every((other) => other.ran);
      const sum = cells.reduce((total, other) => total + (other.took || 0), 0);
      say(all ? `The whole chapter has run, in ${seconds(sum)}.` : `Done; cell ${cells.indexOf(cell) + 1} ran in ${seconds(took)}.`);
    }
    next();
  }

  function put(cell, kind, text) {
    if (!cell.place) {
      if (kind === "fault") cell.fault = text;
      return;
    }
    const last = cell.output.lastElementChild;
    if (kind === "html") {
      const made = document.createElement("div");
      made.className = "output text_html";
      made.innerHTML = text;
      cell.output.append(made);
    } else if (kind === "png") {
      const made = document.createElement("img");
      const old = cell.place.querySelector(".cell_output img");
      made.src = `data:image/png;base64,${text}`;
      made.alt = old && !cell.changed ? old.alt : "What the changed cell draws.";
      cell.output.append(made);
    } else if (last && last.dataset.kind === kind && (kind === "out" || kind === "err")) last.textContent += text;
    else {
      const made = document.createElement("pre");
      made.dataset.kind = kind;
      made.textContent = text;
      cell.output.append(made);
    }
  }

  // Run these, and before them what comes earlier and has not run.
  function run(upto, again) {
    cells.forEach((cell, i) => {
      const asked = i === upto || (again && i < upto) || (i < upto && !cell.ran);
      if (asked && i !== state.running && !waiting.includes(i)) waiting.push(i);
    });
    waiting.sort((a, b) => a - b);
    if (state.phase === "off") begin();
    next();
  }

  function stop() {
    worker.terminate();
    waiting.length = 0;
    if (state.running !== null && cells[state.running].place) cells[state.running].said.textContent = "stopped";
    state.running = null;
    for (const cell of cells) cell.ran = false;
    say("Stopped, and all that was computed is forgotten. Run a cell: Python starts anew.");
    state.phase = "off";
  }

  function equip(cell, number) {
    const input = cell.place.querySelector(".cell_input");
    const text = input.querySelector("pre");
    text.setAttribute("contenteditable", "plaintext-only");
    text.setAttribute("role", "textbox");
    text.setAttribute("aria-multiline", "true");
    text.setAttribute("aria-label", `Code of cell ${number + 1}`);
    text.spellcheck = false;
    text.addEventListener("input", () => {
      cell.changed = true;
      cell.ran = false;
      cell.said.textContent = "changed";
    });
    text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.shiftKey || event.ctrlKey)) {
        event.preventDefault();
        run(number);
      }
    });
    const bar = document.createElement("div");
    bar.className = "run-bar";
    cell.said = document.createElement("span");
    cell.output = document.createElement("div");
    cell.output.className = "run-output";
    bar.append(button("Run", () => run(number), `Run cell ${number + 1}`), cell.said);
    const fold = cell.place.querySelector(":scope > details") || input;
    fold.after(bar, cell.output);
  }

  start.addEventListener("click", () => {
    start.hidden = true;
    if (!box.querySelector(".run-all")) {
      cells.forEach((cell, number) => cell.place && equip(cell, number));
      const all = button("Run all cells", () => run(cells.length - 1, true));
      all.className = "run-all";
      start.after(all, button("Stop", stop));
      all.focus();
    }
    begin();
  });

  // For the tests of the page.
  window.linvaeRun = { cells, state };

  if (location.protocol === "file:") {
    start.disabled = true;
    say("This page was opened as a file, and a browser starts Python only from a server. Where the book is built, `make serve` is one.");
  }
})();
