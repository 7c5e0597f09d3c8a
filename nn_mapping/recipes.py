"""Named ways to train a network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network is trained."""

    name: str = "good"
    epochs: int = 50
    batch: int = 128
    learning_rate: float = 1e-2
    cosine: bool = True
    """Let the learning rate fall to zero along a cosine."""
    weight_decay: float = 0.0
    """Coupled (L2) decay of the latent weights, as Adam's ``weight_decay``."""
    batch_norm: bool = True
    """Batch normalisation after every layer; folded into gain and offset afterwards."""
    input_bits: int | None = None
    """Quantise the pixels to this many bits, as the DAC will."""
    dropout: float = 0.0
    label_smoothing: float = 0.0
    flip: bool = False
    """Mirror half of the training images (for clothes, not for digits)."""
    weight_noise: float = 0.0
    """Standard deviation of the Gaussian noise that every step adds to the forward weights, as a share of their range.

    For single cells that is the share of the window of one cell; for pairs, whose range is two windows and whose
    two cells vary independently, a spread of `sigma` of the window is a noise of ``sigma / sqrt(2)``.
    """
    bfloat16: bool = False
    """Matrix products with factors and results rounded to bfloat16 (8 bits of mantissa): faster on processors that
    have them (AVX512_BF16, AMX), much slower on others."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2:
            raise ValueError(f"epochs = {self.epochs}, batch = {self.batch}: at least 1 and 2 are needed")
        if not 0 < self.learning_rate < 10:
            raise ValueError(f"learning_rate = {self.learning_rate} is outside (0, 10)")
        if self.weight_decay < 0 or not 0 <= self.dropout < 1 or not 0 <= self.label_smoothing < 1:
            raise ValueError(
                f"weight_decay = {self.weight_decay}, dropout = {self.dropout}, label_smoothing = "
                f"{self.label_smoothing}: expected >= 0, [0, 1), [0, 1)"
            )
        if not 0 <= self.weight_noise < 1:
            raise ValueError(f"weight_noise = {self.weight_noise} is outside [0, 1)")
        if self.input_bits is not None and not 1 <= self.input_bits <= 8:
            raise ValueError(f"input_bits = {self.input_bits} is outside 1..8 (pixels have 8 bits)")


GOOD = Recipe()
"""Batch normalisation, cosine from 1e-2, no weight decay."""
GOOD_CLOTHES = Recipe(name="good-clothes", dropout=0.2, label_smoothing=0.1, flip=True)
"""The good recipe with what Fashion-MNIST needs against overfitting."""
PAPER = Recipe(name="paper", learning_rate=1e-3, cosine=False, weight_decay=1e-4, batch_norm=False)
"""Adam at 1e-3, batch 128, weight decay 1e-4, 50 epochs (arXiv:2601.16222, methods); no scale, no bias (assumed)."""
RECIPES = {recipe.name: recipe for recipe in (GOOD, GOOD_CLOTHES, PAPER)}
