"""Run chapters again and store their outputs in place: python tools/refresh.py [book/naive.ipynb …]

Running it twice gives the same bytes, so a change in the file is a change in the chapter: no timings, no widget
state, fixed metadata, and cell ids that follow from the order of the cells.
"""

import base64
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# The kernel warns that its sockets are not encrypted. They do not leave this machine.
QUIET = ["--IPKernelApp.log_level=40"]
CELL_METADATA = {"mystnb", "tags"}
COVER = "fig-naive"  # the figure that the landing page shows too


def refresh(path: Path) -> None:
    """Execute one notebook from the folder it lies in, and write it back."""
    notebook = nbformat.read(path, as_version=4)
    clean(notebook)
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=QUIET,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    clean(notebook)
    nbformat.validate(notebook)
    text = nbformat.writes(notebook).rstrip("\n") + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")
    cover = picture(notebook, COVER)
    if cover:
        (path.parent / "_static" / "cover.png").write_bytes(cover)


def picture(notebook: nbformat.NotebookNode, name: str) -> bytes | None:
    """Return the stored picture of the figure of that name, if it is in this chapter."""
    for cell in notebook.cells:
        if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == name:
            return base64.b64decode(next(output.data["image/png"] for output in cell.outputs if "data" in output))
    return None


def clean(notebook: nbformat.NotebookNode) -> None:
    """Keep of the metadata only what the book uses."""
    about = notebook.metadata.get("linvae")
    notebook.metadata = nbformat.from_dict(METADATA | ({"linvae": about} if about else {}))
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:03d}"
        for key in set(cell.metadata) - CELL_METADATA:
            del cell.metadata[key]


def main(arguments: list[str]) -> int:
    paths = [Path(argument) for argument in arguments] or sorted((ROOT / "book").glob("*.ipynb"))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for path in paths:
        if not path.is_file():
            print(f"{path} is no file; give a chapter such as book/naive.ipynb, or nothing for all", file=sys.stderr)
            return 1
        start = time.monotonic()
        refresh(path)
        print(f"{path.name}: {time.monotonic() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
