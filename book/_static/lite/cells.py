"""Runs the cells of a chapter as a notebook would: what is printed, the last value and the figures are shown.

The worker of the page gives `emit(kind, text)`, where kind is "out", "err", "text", "html", "png" or "fault".
"""

import ast
import base64
import io
import linecache
import re
import traceback
import warnings
from contextlib import redirect_stderr, redirect_stdout

MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)  # such as %pip: what it would install is here


class Printed(io.TextIOBase):
    def __init__(self, emit, kind):
        self.emit, self.kind = emit, kind

    def write(self, text):
        if text:
            self.emit(self.kind, text)
        return len(text)


class Cells:
    """One memory, in which cell after cell is run."""

    def __init__(self, emit):
        import matplotlib.pyplot as plt

        # Under Pyodide threadpoolctl calls what Pyodide deprecates, of which no cell can know.
        warnings.filterwarnings("ignore", module="threadpoolctl")
        self.emit, self.plt = emit, plt
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
                body = ast.parse(MAGIC.sub(r"\1pass", source), name)
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
