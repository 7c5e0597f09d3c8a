"""LeNet-5 for images of 28 x 28 pixels, padded to 32 x 32 (doi:10.1109/5.726791, with ReLU and maxima)."""

from torch import nn


def make() -> nn.Module:
    """Scores (count, 10) of images (count, 1, 28, 28) from 0 to 1; 61,706 parameters."""
    return nn.Sequential(
        nn.ZeroPad2d(2),
        nn.Conv2d(1, 6, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )
