"""Named ways to train a network."""

from __future__ import annotations

from dataclasses import dataclass, replace


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
    """Coupled (L2) decay of the latent weights and of biases, as Adam's ``weight_decay``."""
    batch_norm: bool = True
    """Batch normalisation after every layer; folded into gain and offset afterwards."""
    bias: bool = False
    """Train a digital offset per output."""
    standardise: bool = False
    """Learn on pixels less their mean over their deviation, both those of the training images. The array reads the
    pixels as they are: mean and deviation are folded into gain and offset of the first layer."""
    scale_outputs: bool = False
    """Multiply the last product of a network on levels by 1 / sqrt(inputs); free weights find their own scale."""
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
        if self.batch_norm and (self.bias or self.standardise or self.scale_outputs):
            raise ValueError(
                f"bias = {self.bias}, standardise = {self.standardise}, scale_outputs = {self.scale_outputs} with "
                f"batch_norm = True, which has an offset and a scale of its own: use one or the other"
            )
        if not 0 <= self.weight_noise < 1:
            raise ValueError(f"weight_noise = {self.weight_noise} is outside [0, 1)")
        if self.input_bits is not None and not 1 <= self.input_bits <= 8:
            raise ValueError(f"input_bits = {self.input_bits} is outside 1..8 (pixels have 8 bits)")


GOOD = Recipe()
"""Batch normalisation, cosine from 1e-2, no weight decay."""
GOOD_CLOTHES = Recipe(name="good-clothes", dropout=0.2, label_smoothing=0.1, flip=True)
"""The good recipe with what Fashion-MNIST needs against overfitting."""
LITERAL = Recipe(name="literal", learning_rate=1e-3, cosine=False, weight_decay=1e-4, batch_norm=False)
"""What the paper's methods state, and as little else as possible: Adam at 1e-3, batch 128, 50 epochs, weight decay (its
size, 1e-4, is assumed); pixels 0..1, no bias, no scale (arXiv:2601.16222)."""
PAPER = replace(LITERAL, name="paper", bias=True, standardise=True, scale_outputs=True)
"""The reading of the paper's methods that comes nearest to its five accuracies; biases, standardised pixels and the
scale of the last product are assumed beside what `LITERAL` assumes."""
