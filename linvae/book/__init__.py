"""What the chapters import beside the models."""

from .numbers import glue

__all__ = ["glue"]
