"""The compact model as Verilog-A and SPICE text."""

from compact_model.lazy import lazily

__getattr__, __dir__, __all__ = lazily(__name__)
