"""What importing linvae promises: it is light, and it is typed."""

import json
import subprocess
import sys
from importlib.resources import files


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
