// Python in a worker of the page: it fetches Pyodide from beside this file, and runs the cells that the page sends.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const here = (name) => new URL(name, import.meta.url).href;
const text = async (name) => {
  const answer = await fetch(here(name));
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer.text();
};
let current = null;

async function start() {
  const say = (step) => postMessage({ kind: "step", text: step });
  say("Fetching Python");
  const { packages, wheel } = JSON.parse(await text("lite.json"));
  const python = await loadPyodide({ indexURL: here("pyodide/"), packageBaseUrl: here("pyodide/") });
  say("Fetching NumPy, SciPy, scikit-learn, Matplotlib and pandas");
  const quiet = { messageCallback: () => {}, errorCallback: (fault) => say(fault) };
  await python.loadPackage(packages, quiet);
  say("Fetching linvae and the images");
  await python.loadPackage(here(wheel), quiet);
  say("Importing");
  python.globals.set("emit", (kind, text) => postMessage({ kind, text, cell: current }));
  python.runPython(await text("cells.py"));
  python.runPython("hasten(); import linvae; cells = Cells(emit, parse)");
  return python;
}

const started = start();
started.then(
  () => postMessage({ kind: "ready" }),
  (fault) => postMessage({ kind: "broken", text: String(fault) }),
);

onmessage = async ({ data }) => {
  const python = await started;
  current = data.cell;
  const since = performance.now();
  const run = python.globals.get("cells").run;
  const whole = run(data.source, data.name);
  run.destroy();
  postMessage({ kind: "done", cell: data.cell, whole, seconds: (performance.now() - since) / 1000 });
};
