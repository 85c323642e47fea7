"""On a page outside the numbered chapters figures count from 1; Sphinx counts those of all such pages in one row."""


def count_anew(app, env):
    for kinds in env.toc_fignumbers.values():
        figures = kinds.get("figure", {})
        if all(len(number) == 1 for number in figures.values()):  # in a chapter they are pairs
            figures.update({name: (i,) for i, name in enumerate(figures, 1)})
    return []


def setup(app):
    app.connect("env-get-updated", count_anew, priority=900)  # after Sphinx has counted
    return {"parallel_read_safe": True, "parallel_write_safe": True}
