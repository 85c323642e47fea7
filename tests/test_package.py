"""What importing linvae promises: it is light."""

import json
import subprocess
import sys


def test_import_pulls_in_no_plotting_transport_or_deep_library():
    heavy = ["matplotlib", "ot", "torch", "dask", "numba"]
    code = f"""
import json, sys, linvae, linvae.datasets, linvae.metrics
print(json.dumps([name for name in {heavy} if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
