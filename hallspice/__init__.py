"""YAML configuration, command line and reports."""

from compact_model.lazy import lazily

__getattr__, __dir__, __all__ = lazily(__name__)
