"""What the chapters import beside the models."""

from .exercises import check, seal
from .extras import needs
from .numbers import glue
from .tables import table

__all__ = ["check", "glue", "needs", "seal", "table"]
