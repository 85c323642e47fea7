"""Put the repository's public address on the pages, if there is one.

Nothing in this repository knows where it is published. Whoever publishes the book says so when building it:
`LINVAE_REPOSITORY` is the repository's address (buttons for the source, for issues and for edits appear),
`LINVAE_NOTEBOOKS` is a branch of it where each chapter is its clean copy (buttons that run a chapter elsewhere appear,
for Binder and Colab show a notebook as it lies), and `LINVAE_BOOK` is the address of the built book. Pages then name
their canonical address and have preview cards; there are a map of the site and a page for what is not found; and what
stands in `{only} published` is shown, such as links to the course kit, which lies beside the pages there. Unset,
nothing appears.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

PUBLISHED = ("sphinxext.opengraph", "sphinx_sitemap", "notfound.extension")
LOGO = str(Path(__file__).resolve().parents[1] / "_static" / "logo.png")  # a card takes no SVG
ELSEWHERE = {"binderhub_url": "https://mybinder.org", "colab_url": "https://colab.research.google.com"}


def add_addresses(app, config):
    repository = os.environ.get("LINVAE_REPOSITORY", "").rstrip("/")
    if repository:
        config.html_theme_options |= {
            "repository_url": repository,
            "repository_branch": os.environ.get("LINVAE_BRANCH", "main"),
            "use_repository_button": True,
            "use_issues_button": True,
            "use_edit_page_button": True,
        }
        if os.environ.get("LINVAE_NOTEBOOKS"):
            config.html_theme_options["launch_buttons"] = ELSEWHERE | {"notebook_interface": "jupyterlab"}
    book = os.environ.get("LINVAE_BOOK", "").rstrip("/")
    if book:
        config.html_baseurl = config.ogp_site_url = book + "/"
        config.ogp_site_name = config.html_title
        config.ogp_social_cards = {"image": LOGO, "image_mini": LOGO}
        config.ogp_enable_meta_description = False  # page_head writes it
        config.sitemap_url_scheme = "{link}"
        config.notfound_urls_prefix = urlsplit(book).path + "/"


def launch_clean_copies(app, pagename, templatename, context, doctree):
    """Point the buttons of the theme, which knows one branch only, at the branch of the clean copies."""
    branch, copies = app.config.html_theme_options.get("repository_branch"), os.environ.get("LINVAE_NOTEBOOKS")
    for group in context.get("header_buttons", []):
        for button in group.get("buttons", []):
            if button.get("text") in ("Binder", "Colab"):
                button["url"] = (
                    button["url"].replace(f"/{branch}?", f"/{copies}?").replace(f"/blob/{branch}/", f"/blob/{copies}/")
                )


def setup(app):
    if os.environ.get("LINVAE_BOOK"):
        for name in PUBLISHED:
            app.setup_extension(name)
        app.tags.add("published")
    app.connect("config-inited", add_addresses)
    app.connect("html-page-context", launch_clean_copies, priority=600)  # after the theme has made them
    return {"parallel_read_safe": True, "parallel_write_safe": True}
