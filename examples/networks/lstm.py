"""An LSTM that reads an image of 28 x 28 pixels row by row (doi:10.1162/neco.1997.9.8.1735)."""

from torch import Tensor, nn

HIDDEN = 64


class Rows(nn.Module):
    """A row of pixels a step; the class follows from the last state."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(28, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (count, 10)."""
        states, _ = self.memory(x.flatten(1, 2))
        return self.head(states[:, -1])


def make() -> nn.Module:
    """Scores (count, 10) of images (count, 1, 28, 28) from 0 to 1."""
    return Rows()
