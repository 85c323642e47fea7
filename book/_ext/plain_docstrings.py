"""Docstrings are plain text for people at a prompt: a bar in them is a norm, |x|, not reStructuredText."""


def escape_bars(app, what, name, obj, options, lines):
    lines[:] = [line if "`" in line or ">>>" in line else line.replace("|", r"\|") for line in lines]


def setup(app):
    app.connect("autodoc-process-docstring", escape_bars)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
