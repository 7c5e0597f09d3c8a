"""One SOT Hall bar: geometry, switching, levels and their provenance, vectorised over devices."""

from compact_model.lazy import lazily

__getattr__, __dir__, __all__ = lazily(__name__)
