"""The download button serves a copy of the chapter that needs neither the book nor its tools (tools/download.py).

All copies together are `notebooks.zip` beside the pages' root, the same bytes for the same chapters.  What the copies
asked of the book is kept in `known.json` beside the doctrees, for the course kit (tools/course.py).
"""

import json
import os
import sys
import zipfile
from pathlib import Path

import nbformat
from pybtex.richtext import Text
from sphinx.util import logging

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import chapter  # noqa: E402  (one copy of the logic serves the check and the pages)
import download  # noqa: E402
import quizzes  # noqa: E402


class BuiltBook:
    """What a finished build knows of its pages."""

    def __init__(self, app, folder):
        self.env, self.config, self.folder = app.env, app.config, folder
        self.glued = {}
        self.works = app.env.get_domain("cite").bibdata.data if "cite" in app.env.domains else None

    def number(self, label):
        numbers, proofs = self.env.toc_fignumbers, getattr(self.env, "proof_list", {})
        exercises = getattr(self.env, "sphinx_exercise_registry", {})
        if label in proofs:
            kind, page, node = proofs[label]["countertype"], proofs[label]["docname"], label
            word = proofs[label]["realtype"].capitalize() + " %s"
        elif label in exercises:
            kind, page, node, word = "exercise", exercises[label]["docname"], label, "Exercise %s"
        else:
            page, node, *_ = self.env.get_domain("std").anonlabels[label]
            kind = next(kind for kind, found in numbers.get(page, {}).items() if node in found)
            word = self.config.numfig_format[kind]
        number = numbers.get(page, {}).get(kind, {}).get(node, ())
        return (word % ".".join(map(str, number))).strip()

    def equation(self, label):
        domain = self.env.get_domain("math")
        page, number = domain.equations[label]
        if self.config.math_numfig and self.config.numfig:
            found = self.env.toc_fignumbers.get(page, {}).get("displaymath", {}).get(f"equation-{label}", ())
            return ".".join(map(str, found)) or str(number)
        return str(number)

    def title(self, label):
        labels = self.env.get_domain("std").labels
        if label in labels:
            return labels[label][2]
        page = label.lstrip("/").removesuffix(".md").removesuffix(".ipynb")
        return next(t.astext() for name, t in self.env.titles.items() if name in (page, f"{self.folder}/{page}"))

    def cite(self, key):
        """Return "Hotelling, 1933"; two names are both given, of more the first."""
        entry = self.works.entries[key]
        names = [
            str(Text.from_latex(" ".join(person.last_names)))
            for person in entry.persons.get("author") or entry.persons["editor"]
        ]
        names = names[0] + " et al." if len(names) > 2 else " and ".join(names)
        return f"{names}, {entry.fields['year']}"

    def value(self, page, name):
        if page not in self.glued:
            path = Path(self.env.doc2path(f"{self.folder}/{page}" if self.folder else page))
            notebook = nbformat.read(path, as_version=4)
            self.glued[page] = chapter.glued(notebook) | {"minutes": str(chapter.minutes(notebook))}
        return self.glued[page][name]

    def quiz(self, page):
        return quizzes.read(quizzes.path_of(Path(self.env.doc2path(f"{self.folder}/{page}" if self.folder else page))))


class Asked:
    """A book that remembers what it was asked."""

    def __init__(self, book, known):
        self.book, self.known = book, known

    def quiz(self, page):  # questions lie in a file of their own
        return self.book.quiz(page)

    def __getattr__(self, name):
        def ask(*words):
            answer = getattr(self.book, name)(*words)
            self.known[" ".join((name, *words))] = answer
            return answer

        return ask


def write_copies(app, error):
    """Write a copy beside the pages of each chapter, in the place of its source."""
    if error or app.builder.format != "html":
        return
    address = os.environ.get("LINVAE_REPOSITORY", "").rstrip("/")
    package = f"linvae[chapters] @ git+{address}" if address else "linvae[chapters]"
    known = {}
    for docname in sorted(app.env.found_docs):
        path = Path(app.env.doc2path(docname))
        if path.suffix != ".ipynb":
            continue
        folder, _, page = docname.rpartition("/")
        book = Asked(BuiltBook(app, folder), known)
        try:
            plain = download.copy_for_download(nbformat.read(path, as_version=4), page, book, package)
        except (KeyError, StopIteration, ValueError) as problem:
            text = f"no copy for download: {type(problem).__name__} {problem}; is it a label that no page has?"
            logging.getLogger(__name__).warning(text, location=docname)
            continue
        for found in download.left_over(plain):
            logging.getLogger(__name__).warning(f"the copy for download still holds {found}", location=docname)
        target = Path(app.outdir) / "_sources" / f"{docname}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.validate(plain)
        target.write_text(nbformat.writes(plain).rstrip("\n") + "\n", encoding="utf-8", newline="\n")
    text = json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False)
    Path(app.doctreedir, "known.json").write_text(text + "\n", encoding="utf-8")


def write_zip(app, error):
    """Pack all copies into one file."""
    if error or app.builder.format != "html":
        return
    copies = Path(app.outdir) / "_sources"
    with zipfile.ZipFile(Path(app.outdir) / "notebooks.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(copies.rglob("*.ipynb")):
            entry = zipfile.ZipInfo(f"notebooks/{path.name}")  # with the date that ZIP begins with
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, path.read_bytes())


def setup(app):
    app.connect("build-finished", write_copies)
    app.connect("build-finished", write_zip, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
