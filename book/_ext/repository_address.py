"""Put the repository's public address on the pages, if there is one.

Nothing in this repository knows where it is published. Whoever publishes the book says so when building it:
`LINVAE_REPOSITORY` is the repository's address (buttons for the source, for issues and for edits appear), and
`LINVAE_BOOK` is the address of the built book (pages then name their canonical address). Unset, nothing appears.
"""

import os


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
    book = os.environ.get("LINVAE_BOOK", "").rstrip("/")
    if book:
        config.html_baseurl = book + "/"


def setup(app):
    app.connect("config-inited", add_addresses)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
