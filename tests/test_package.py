"""What importing linvae promises: it is light, and it is typed."""

import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_import_pulls_in_no_plotting_transport_table_or_deep_library():
    heavy = ["matplotlib", "ot", "torch", "dask", "numba", "myst_nb"]
    code = f"""
import json, sys
sys.modules['pandas'] = None  # scikit-learn takes it where it can; to import it would now fail
import linvae, linvae.book, linvae.datasets, linvae.latent, linvae.metrics, linvae.transport
print(json.dumps([name for name in {heavy} if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_type_checkers_are_told_that_the_package_is_typed():
    assert files("linvae").joinpath("py.typed").is_file()


def test_a_module_imports_only_from_those_above_it_in_the_readmes_list():
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("The modules of")[2]
    rows = re.findall(r"^\| ((?:`\w+\.py`(?:, )?)+|`book/`) \|", text, re.MULTILINE)
    order = [name for row in rows for name in re.findall(r"`(\w+)(?:\.py|/)`", row)]
    files = {path.stem: [path] for path in (ROOT / "linvae").glob("*.py") if path.stem != "__init__"}
    files["book"] = list((ROOT / "linvae" / "book").glob("*.py"))
    assert sorted(order) == sorted(files)
    for name, paths in files.items():
        text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
        dots = r"\.\." if name == "book" else r"\."
        for other in set(re.findall(rf"^\s*from {dots}(\w+) import", text, re.MULTILINE)):
            assert order.index(other) < order.index(name), f"{name} imports {other}"
