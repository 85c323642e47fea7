"""Grade a folder of handed-in notebooks: python tools/grade.py FOLDER [grades.csv] [--seconds 120] [--jobs 2]

Each hand-in is run from top to bottom in a process of its own: with a time limit for each cell and for the whole, a
limit on memory and on the size of files, an environment with no secrets in it, and an empty folder.  As many run at a
time as there are processors, or as `--jobs` says.  What one answered is judged here, outside of it, by the checks of
the book, so a hand-in that redefines `check` gains nothing.  One that raises, loops, dies or is no notebook is
reported, and the others are graded.

This contains accidents and mischief.  It is no prison: code runs as the user who grades, with the network on.  Grade
the work of strangers in a container or on a machine for that purpose.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import csv
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

TOOLS = Path(__file__).resolve().parent
ROOT = TOOLS.parent
CELL_SECONDS, CELLS_AT_MOST, MEMORY, FILE = 120, 8, 6 * 2**30, 256 * 2**20
LOOKS_AROUND = re.compile(r"\benviron\b|\bgetenv\b|%env\b|!\s*(?:env|printenv|set)\b|/proc/|\.ssh\b|\.netrc\b")
MARK = "linvae answer: "
PASSED_ON = ("LANG", "LC_ALL", "PATH", "SYSTEMROOT", "VIRTUAL_ENV")


@dataclass
class Graded:
    """What came of a hand-in."""

    name: str
    chapter: str = ""
    checks: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def right(self) -> int:
        return sum(result == "right" for result in self.checks.values())

    def row(self) -> dict[str, Any]:
        about = {"hand-in": self.name, "chapter": self.chapter, "right": self.right, "of": len(self.checks)}
        return about | {"remarks": "; ".join(self.remarks)} | self.checks


# ---------------------------------------------------------------- outside: whoever grades


def grade(path: Path, name: str = "", seconds: int = CELL_SECONDS) -> Graded:
    """Run one hand-in in a process of its own, and judge its answers here."""
    graded = Graded(name or path.name)
    try:
        notebook = nbformat.read(path, as_version=4)
        graded.chapter = str(notebook.metadata.get("linvae", {}).get("chapter", ""))
        asked = {check: "missing" for cell in notebook.cells for check, _ in answers_in(cell)}
    except Exception as problem:
        graded.remarks.append(f"is no notebook that can be read ({type(problem).__name__})")
        return graded
    graded.checks = _expected(graded.chapter) | asked
    if any(LOOKS_AROUND.search(cell.source) for cell in notebook.cells if cell.cell_type == "code"):
        graded.remarks.append("looks around in the environment, which is empty; read it")
    with tempfile.TemporaryDirectory() as folder:
        found, ended = _run(path.resolve(), Path(folder), seconds)
    for check, answer in found.get("answers", {}).items():
        graded.checks[check] = judge(check, answer)
    graded.remarks += found.get("remarks", [])
    if ended:
        graded.remarks.append(ended)
    return graded


def judge(check: str, answer: Any) -> str:
    """Return right, not yet, or what else became of an answer."""
    from linvae.book import check as judged

    if answer == {"raised": True}:
        return "raised"
    if answer == {"gap": True} or (isinstance(answer, list) and "Ellipsis" in answer):
        return "not answered"
    try:
        return "right" if judged(check, answer) else "not yet"
    except ValueError:
        return "no such check"


def _expected(chapter: str) -> dict[str, str]:
    """Return {check: missing} for all that the chapter of this hand-in asks."""
    import course

    if chapter not in course.chapters():
        return {}
    drills = [drill["check"] for drill in course.drills().get(chapter, [])]
    return dict.fromkeys([*course.checks(course.read(chapter)).values(), *drills], "missing")


def _run(path: Path, folder: Path, seconds: int) -> tuple[dict[str, Any], str]:
    """Return what the process inside wrote down, and a word on how it ended if it did not end well."""
    report = folder / "report.json"
    inside = folder / "inside"
    inside.mkdir()
    clean = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    clean |= {"HOME": str(inside), "TMPDIR": str(inside), "PYTHONPATH": os.pathsep.join(map(str, (ROOT, TOOLS)))}
    clean |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    words = [
        sys.executable,
        str(Path(__file__).resolve()),
        "--inside",
        str(path),
        str(report),
        "--seconds",
        str(seconds),
    ]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    limits = {"preexec_fn": _limit} if os.name == "posix" else {}
    running = subprocess.Popen(words, env=clean, cwd=inside, start_new_session=True, **quiet, **limits)
    ended = ""
    try:
        if running.wait(timeout=CELLS_AT_MOST * seconds):
            ended = "its process died, by the limit on memory perhaps"
    except subprocess.TimeoutExpired:
        ended = f"was stopped after {CELLS_AT_MOST * seconds} s"
    found = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    for process in (running.pid, found.get("kernel")):
        if process and os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process, signal.SIGKILL)
    running.kill()
    running.wait()
    return found, ended


def _limit() -> None:
    import resource

    for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, FILE), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(OSError, ValueError):  # on a system that does not limit this
            resource.setrlimit(what, (most, most))


def write(grades: list[Graded], path: Path) -> None:
    """Write a row for each hand-in, and a column for each check that any of them was asked."""
    columns = dict.fromkeys(column for graded in grades for column in graded.row())
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(columns), restval="")
        table.writeheader()
        table.writerows(graded.row() for graded in grades)


# ---------------------------------------------------------------- inside: the process of one hand-in


def answers_in(cell: NotebookNode) -> list[tuple[str, str]]:
    """Return (name, what is judged) of every check that a cell asks."""
    if cell.cell_type != "code":
        return []
    try:
        tree = ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", cell.source, flags=re.MULTILINE))
    except SyntaxError:
        return [(name, "") for name in re.findall(r"\bcheck\(\s*[\"']([\w-]+)[\"']", cell.source)]
    return [
        (node.args[0].value, ast.unparse(node.args[1]))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "check"
        and len(node.args) == 2
        and isinstance(node.args[0], ast.Constant)
    ]


def run_inside(path: Path, report: Path, seconds: int) -> None:
    """Run a hand-in; write down after each cell what is known, so that nothing is lost if the process is stopped."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from refresh import QUIET

    notebook = nbformat.read(path, as_version=4)
    cells = list(notebook.cells)
    found: dict[str, Any] = {"answers": {}, "remarks": []}

    def keep() -> None:
        report.write_text(json.dumps(found), encoding="utf-8")

    client = NotebookClient(
        nbformat.v4.new_notebook(), timeout=seconds, kernel_name="python3", interrupt_on_timeout=True,
        allow_errors=True, extra_arguments=QUIET, resources={"metadata": {"path": os.getcwd()}},
    )  # fmt: skip
    with client.setup_kernel():
        found["kernel"] = client.km.provisioner.pid
        keep()
        for number, cell in enumerate(cells):
            if cell.cell_type != "code":
                continue
            try:
                raised = _execute(client, cell)
                if raised:
                    late = raised == "KeyboardInterrupt"
                    found["remarks"].append(
                        f"cell {number} was stopped after {seconds} s" if late else f"cell {number} raised {raised}"
                    )
                for check, judged in answers_in(cell):
                    found["answers"][check] = _answer(client, judged) if judged and not raised else {"raised": True}
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as problem:
                found["remarks"].append(f"cell {number} ended its kernel ({type(problem).__name__})")
                keep()
                return
            keep()


def _execute(client: Any, cell: NotebookNode) -> str:
    """Run a cell; return the name of what it raised."""
    cell.outputs, client.nb.cells = [], [cell]
    client.execute_cell(cell, 0)
    return next((output.ename for output in cell.outputs if output.output_type == "error"), "")


def _answer(client: Any, judged: str) -> Any:
    """Return the value of an expression in the kernel, as numbers, words and lists."""
    ask = nbformat.v4.new_code_cell(
        "import json as _json, numpy as _numpy\n"
        f"_given = ({judged})\n"
        f"print({MARK!r} + _json.dumps({{'gap': True}} if _given is ... or _given is None "
        "else _numpy.asarray(_given).tolist(), default=str))"
    )
    if _execute(client, ask):
        return {"raised": True}
    printed = "".join(output.get("text", "") for output in ask.outputs)
    line = next((line for line in printed.split("\n") if line.startswith(MARK)), "")
    return json.loads(line.removeprefix(MARK)) if line else {"raised": True}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Grade a folder of handed-in notebooks into a CSV.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path, nargs="?")
    parser.add_argument("--seconds", type=int, default=CELL_SECONDS, help="for each cell (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time (default: %(default)s)")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.inside:
        run_inside(given.folder, given.target, given.seconds)
        return 0
    paths = sorted(given.folder.rglob("*.ipynb")) if given.folder.is_dir() else []
    paths = [path for path in paths if ".ipynb_checkpoints" not in path.parts]
    if not paths:
        print(f"{given.folder} has no notebooks; give the folder they were handed in to", file=sys.stderr)
        return 1
    if given.jobs < 1:
        parser.error(f"--jobs {given.jobs}: one hand-in at a time is the least")
    grades, target = [], given.target or given.folder / "grades.csv"
    names = [path.relative_to(given.folder).as_posix() for path in paths]
    with ThreadPoolExecutor(given.jobs) as pool:  # each waits for a process of its own
        for graded in pool.map(grade, paths, names, [given.seconds] * len(paths)):
            grades.append(graded)
            row = graded.row()
            print(f"{row['hand-in']}: {row['right']} of {row['of']} right{'. ' * bool(row['remarks'])}{row['remarks']}")
            write(grades, target)  # after each, so that who is interrupted keeps what is done
    print(f"{target}: {len(grades)} hand-ins")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
