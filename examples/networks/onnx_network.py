"""The network of an ONNX file: `network.onnx` beside this one. Needs `pip install 'hallspice[onnx]'`."""

from pathlib import Path

import onnx
from onnx2pytorch import ConvertModel
from onnx2pytorch.convert import model as importer
from torch import nn

from nn_mapping import ArrayConv1d, ArrayConv2d, ArrayLinear

# The importer calls the modules that it lists here with data alone, and every other one with its weights as well.
importer.STANDARD_LAYERS += (ArrayConv1d, ArrayConv2d, ArrayLinear)


def make() -> nn.Module:
    """Its products of data and weights are `Linear` and convolutions, so that arrays can make them."""
    return ConvertModel(onnx.load(Path(__file__).with_name("network.onnx")))
