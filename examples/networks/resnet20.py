"""ResNet-20 for images of 32 x 32 pixels (arXiv:1512.03385, section 4.2; ways around without weights)."""

import torch.nn.functional as F  # noqa: N812 (the name everyone uses)
from torch import Tensor, nn


class Residual(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)])
        self.stride, self.more = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        """Images (count, outputs, height, width)."""
        z = self.norms[1](self.second(F.relu(self.norms[0](self.first(x)))))
        around = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))
        return F.relu(z + around)


def resnet20(channels: int, padding: int) -> nn.Module:
    """Nineteen convolutions and a full layer, for images of so many channels, with zeros around them."""
    blocks: list[nn.Module] = []
    width = 16
    for outputs in (16, 16, 16, 32, 32, 32, 64, 64, 64):
        blocks.append(Residual(width, outputs, 2 if outputs > width else 1))
        width = outputs
    begin = [
        nn.ZeroPad2d(padding),
        nn.Conv2d(channels, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
    ]
    return nn.Sequential(*begin, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def make() -> nn.Module:
    """Scores (count, 10) of images (count, 1, 28, 28) from 0 to 1, padded to 32 x 32; 269,434 parameters."""
    return resnet20(channels=1, padding=2)


def make_cifar10() -> nn.Module:
    """Scores (count, 10) of images (count, 3, 32, 32) from 0 to 1; 269,722 parameters."""
    return resnet20(channels=3, padding=0)
