"""The kept runs of the talk's own climber, ADVI, beside the closed forms, for the chapter on the random decoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

KEPT = Path(__file__).resolve().parents[1] / "data" / "advi.json"


def advi() -> dict[str, Any]:
    """Return all that `benchmarks/advi.py` wrote: "closed_form", "advi", "nuts", versions and machine."""
    kept: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
    return kept
