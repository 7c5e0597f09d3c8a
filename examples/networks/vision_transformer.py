"""A small vision transformer for images of 28 x 28 pixels (arXiv:2010.11929), with the mean over all patches."""

from torch import Tensor, nn

PATCH = 4
WIDTH = 64
HEADS = 4
LAYERS = 2


class VisionTransformer(nn.Module):
    """Patches, their places, layers of attention, and the class of their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, WIDTH, PATCH, stride=PATCH)
        self.places = nn.Embedding((28 // PATCH) ** 2, WIDTH)
        nn.init.normal_(self.places.weight, std=0.02)
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 2 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (count, 10)."""
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.places.weight
        return self.head(self.layers(tokens).mean(dim=1))


def make() -> nn.Module:
    """Scores (count, 10) of images (count, 1, 28, 28) from 0 to 1."""
    return VisionTransformer()
