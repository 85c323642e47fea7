"""What a search finds comes in the order of search_order.js."""

from pathlib import Path


def order(app, config):
    config.html_search_scorer = str(Path(__file__).with_suffix(".js"))  # Sphinx would look for it where it was started


def setup(app):
    app.connect("config-inited", order)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
