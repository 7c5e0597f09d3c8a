"""Networks trained on the levels of the device and evaluated through the circuit."""

from compact_model.lazy import lazily

__getattr__, __dir__, __all__ = lazily(__name__)
