"""Runs the cells of a chapter as a notebook would: what is printed, the last value and the figures are shown.

The worker of the page gives `emit(kind, text)`, where kind is "out", "err", "text", "html", "png" or "fault".
"""

import ast
import base64
import builtins
import io
import linecache
import re
import sys
import traceback
import warnings
from contextlib import redirect_stderr, redirect_stdout
from importlib.machinery import PathFinder, SourceFileLoader

import numpy as np
from scipy.linalg import blas

MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)  # such as %pip: what it would install is here


# Multiplications from which the detour pays. NumPy has no BLAS under Pyodide, SciPy has: of 2,000 images X' X took
# 20.7 s by NumPy and 0.9 s by SciPy in Chromium.
LEAST = 100_000


def product(a, b):
    """Return a @ b, by SciPy's BLAS where both are matrices of floats and large."""
    if not (type(a) is type(b) is np.ndarray and a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0]):
        return a @ b
    kind = np.result_type(a, b)
    if kind.char not in "fd" or a.size * b.shape[1] < LEAST:
        return a @ b
    # BLAS counts by columns, so it is asked for b' a', whose transpose lies in memory as NumPy's would.
    (right, swap_right), (left, swap_left) = _operand(b.astype(kind, copy=False)), _operand(a.astype(kind, copy=False))
    gemm = blas.dgemm if kind.char == "d" else blas.sgemm
    return gemm(1.0, right, left, trans_a=swap_right, trans_b=swap_left).T


def _operand(x):
    return (x, 1) if x.flags.f_contiguous else (x.T, 0)


class Products(ast.NodeTransformer):
    """Writes a @ b as a call of `product`."""

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if not isinstance(node.op, ast.MatMult):
            return node
        return ast.Call(ast.Name("_product_by_blas", ast.Load()), [node.left, node.right], [])


def parse(source, name):
    return ast.fix_missing_locations(Products().visit(ast.parse(source, name)))


class Loader(SourceFileLoader):
    """Reads the source alone: kept bytecode has the other products, and ours is none to keep."""

    def get_code(self, fullname):
        path = self.get_filename(fullname)
        return compile(parse(self.get_data(path), path), path, "exec")


class Finder:
    """Finds the modules of linvae, and reads their products as those of the cells."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] != "linvae":
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and type(spec.loader) is SourceFileLoader:
            spec.loader = Loader(spec.loader.name, spec.loader.path)
        return spec


def hasten():
    """Multiply matrices by SciPy's BLAS, in cells and in what is imported of linvae from now on."""
    builtins._product_by_blas = product
    sys.meta_path.insert(0, Finder)


class Printed(io.TextIOBase):
    def __init__(self, emit, kind):
        self.emit, self.kind = emit, kind

    def write(self, text):
        if text:
            self.emit(self.kind, text)
        return len(text)


class Cells:
    """One memory, in which cell after cell is run."""

    def __init__(self, emit, parse=ast.parse):
        import matplotlib.pyplot as plt

        # Under Pyodide threadpoolctl calls what Pyodide deprecates, of which no cell can know.
        warnings.filterwarnings("ignore", module="threadpoolctl")
        self.emit, self.parse, self.plt = emit, parse, plt
        self.names = {"__name__": "__main__", "display": self.show}
        plt.switch_backend("agg")
        plt.show = lambda *args, **options: self.draw()

    def run(self, source, name):
        """Run a cell; tell whether it came to its end."""
        name = f"<{name}>"
        linecache.cache[name] = (
            len(source),
            None,
            source.splitlines(keepends=True),
            name,
        )  # for the traceback
        with (
            redirect_stdout(Printed(self.emit, "out")),
            redirect_stderr(Printed(self.emit, "err")),
        ):
            try:
                body = self.parse(MAGIC.sub(r"\1pass", source), name)
                last = ast.Expression(body.body.pop().value) if self.ends_in_a_value(body, source) else None
                exec(compile(body, name, "exec"), self.names)
                if last:
                    self.show(eval(compile(last, name, "eval"), self.names))
            except BaseException as fault:
                while fault.__traceback__ and fault.__traceback__.tb_frame.f_code.co_filename != name:
                    fault.__traceback__ = fault.__traceback__.tb_next
                self.plt.close("all")
                self.emit("fault", "".join(traceback.format_exception(fault)))
                return False
            self.draw()
        return True

    @staticmethod
    def ends_in_a_value(body, source):
        return bool(body.body) and isinstance(body.body[-1], ast.Expr) and not source.rstrip().endswith(";")

    def show(self, *values):
        for value in values:
            if value is not None:
                html = getattr(value, "_repr_html_", None)
                html = html() if html and not isinstance(value, type) else None
                self.emit("html" if html else "text", html or repr(value))

    def draw(self):
        """Show the open figures, and close them."""
        for number in self.plt.get_fignums():
            picture = io.BytesIO()
            self.plt.figure(number).savefig(picture, format="png", bbox_inches="tight")
            self.emit("png", base64.b64encode(picture.getvalue()).decode())
        self.plt.close("all")
