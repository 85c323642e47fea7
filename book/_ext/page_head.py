"""What the pages need for readers on a phone and for those who come from a search, and the theme leaves out.

One viewport, a description of the page (of a chapter the line in its metadata), pictures that say how large they are
and wait until they are near, and of the theme's two thousand icons those that the pages show.
"""

import re
import struct
from html import escape
from importlib.metadata import version
from pathlib import Path

import nbformat

ICONS = re.compile(r'<script src="([^"]*scripts/fontawesome\.js[^"]*)"></script>')
ICON = re.compile(r'(?:"([\w-]+)"|(\w+)):\[\d+,\d+,\[([^\]]*)\],"[0-9a-f]+",(?:"[^"]*"|\[[^\]]*\])\],?')
NAMED = re.compile(r"\bfa-([\w-]+)")
PICTURE = re.compile(r'<img ([^>]*?)src="([^"]+\.png)"([^>]*?)/?>')
VIEWPORT = re.compile(r'<meta name="viewport"[^>]*>')
LONGEST = 200  # characters of a description that a search shows, or nearly


def line_of(path):
    """Return the one line that a chapter says of itself; of a page of Markdown its first paragraph of plain words."""
    if path.suffix == ".ipynb":
        return nbformat.read(path, as_version=4).metadata.get("linvae", {}).get("line", "")
    for paragraph in path.read_text(encoding="utf-8").split("\n\n"):
        if paragraph.strip() and not paragraph.lstrip().startswith(("#", ":", "`", "(", "|", "<", "-")):
            plain = re.sub(r"\{[a-z:]+\}`([^`<]*?) ?(<[^`]*>)?`", r"\1", paragraph)
            plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", plain)
            return re.sub(r"[*`$]", "", " ".join(plain.split()))
    return ""


def describe(app, environment):
    """Give each page its description, where the head and the preview cards look for it."""
    for name in environment.found_docs:
        line = line_of(Path(environment.doc2path(name)))
        if line:
            short = line if len(line) <= LONGEST else line[:LONGEST].rsplit(" ", 1)[0] + " …"
            environment.metadata[name] |= {"description": short, "og:description": short, "og:image:alt": short}


def size_of(path):
    """Return width and height of a PNG from its head."""
    with path.open("rb") as file:
        head = file.read(24)
    return struct.unpack(">II", head[16:24])


def finish_page(app, pagename, templatename, context, doctree):
    """Mend the head's tags and the pictures of one page."""
    tags = VIEWPORT.sub("", context.get("metatags") or "")
    line = app.env.metadata.get(pagename, {}).get("description")
    if line and 'name="description"' not in tags:
        tags += f'<meta name="description" content="{escape(line)}" />'
    context["metatags"] = tags
    files = {name: Path(app.srcdir, source) for source, name in app.builder.images.items()}
    first = True

    def sized(match):
        nonlocal first
        before, source, after = match.groups()
        path = files.get(source.rsplit("/", 1)[-1])
        added = "" if first else 'loading="lazy" '
        first = False
        if path and path.is_file() and "width=" not in before + after and "style=" not in before + after:
            added += 'width="{}" height="{}" '.format(*size_of(path))
        return f'<img {before}src="{source}"{after}{added}/>'

    if context.get("body"):
        context["body"] = PICTURE.sub(sized, context["body"])


def finish_files(app, error):
    """Keep one viewport, and let the page be drawn before its icons are there."""
    if error or app.builder.format != "html":
        return
    shown = set()
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        head, first, rest = text.partition('<meta name="viewport"')
        finished = head + first + VIEWPORT.sub("", rest)
        finished = ICONS.sub(r'<script defer src="\1"></script>', finished)
        if finished != text:
            page.write_text(finished, encoding="utf-8")
        shown.update(NAMED.findall(text))
    icons = Path(app.outdir, "_static", "scripts", "fontawesome.js")
    for script in set(icons.parent.glob("*.js")) - {icons}:
        shown.update(NAMED.findall(script.read_text(encoding="utf-8")))
    if icons.is_file():
        icons.write_text(only(shown, icons.read_text(encoding="utf-8")), encoding="utf-8")


def only(shown, script):
    """Return Font Awesome's script with the icons of these names, first or other, alone."""

    def kept(icon):
        name, bare, others = icon.groups()
        return icon[0] if shown & {name or bare, *re.findall(r'"([\w-]+)"', others)} else ""

    return ICON.sub(kept, script)


def sign(app, config):
    """Put the version into the footer."""
    options = getattr(config, "html_theme_options", {})
    if "extra_footer" in options:
        options["extra_footer"] = options["extra_footer"].rstrip() + f" Version {version('linvae')}."


def setup(app):
    app.connect("config-inited", sign)
    app.connect("env-updated", describe)
    app.connect("html-page-context", finish_page, priority=900)  # after the theme and the preview cards
    app.connect("build-finished", finish_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
