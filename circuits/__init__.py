"""Crossbar networks, their nodal solution, and the same networks in ngspice."""

from compact_model.lazy import lazily

__getattr__, __dir__, __all__ = lazily(__name__)
