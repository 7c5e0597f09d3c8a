"""Keys of the network: its layers, its weights, its training."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from compact_model.cards.quantity import Quantity
from hallspice.config.section import Count, Section
from nn_mapping.levels import MOST_LEVELS

Scheme = Literal["reference", "differential", "binary"]
Significance = Annotated[float, Quantity("1", "significance of a slice", above=0.0, high=1e6)]


class ConvolutionLayer(Section):
    """One convolutional layer; the array holds its weights once and reads patch after patch."""

    channels: Annotated[Count, Field(ge=1, le=4096, description="Output channels")]
    kernel: Annotated[Count, Field(ge=1, le=28, description="Side of the patch")]
    stride: Annotated[Count, Field(ge=1, le=28, description="Distance of the patches")] = 1
    padding: Annotated[Count, Field(ge=0, le=28, description="Zeros around the image")] = 0
    pool: Annotated[
        Count, Field(ge=1, le=28, description="Side of the squares of which the largest output is kept")
    ] = 1


class InSitu(Section):
    """Training by pulses into the cells (`hallspice train` alone)."""

    updates: Annotated[
        list[Literal["ideal", "ladder", "identical"]],
        Field(
            max_length=3,
            description="ideal: equal steps; ladder: pulses of rising amplitude until a read shows a step; identical: "
            "one pulse of one amplitude. One network for each; empty: no training in situ",
        ),
    ] = []
    steps: Annotated[
        Count, Field(ge=2, le=1000, description="Steps from the lowest to the highest level")
    ] = 32
    pulse_share: Annotated[
        float, Quantity("1", "share of the window that an identical pulse switches", above=0.0, below=1.0)
    ] = 0.2
    learning_rate: Annotated[
        float, Quantity("1", "learning rate of the weights, falls along a cosine", above=0.0, high=1e6)
    ] = 10.0
    device_spread: Annotated[
        float, Quantity("1", "relative spread of the switching current between cells", low=0.0, below=0.5)
    ] = 0.0
    cycle_noise: Annotated[
        float,
        Quantity("1", "relative spread of the switching current from pulse to pulse", low=0.0, below=0.5),
    ] = 0.0


class Network(Section):
    """The network, and how it is trained."""

    where_empty: ClassVar[str] = "the layers below"

    dataset: Annotated[
        str,
        Field(
            description="mnist, fashion-mnist, or the path of a FILE.npz, of a folder of idx files, or of a folder of "
            "images (train/CLASS/FILE, test/CLASS/FILE)"
        ),
    ] = "mnist"
    inputs: Annotated[
        Literal["given", "standardised"],
        Field(
            description="given: bytes as shares of 255, other numbers as they are; standardised: by mean and "
            "deviation of each channel or feature over the training part"
        ),
    ] = "given"
    module: Annotated[
        str | None,
        Field(description="FILE.py:FUNCTION that makes a torch network of your own (the file is run)"),
    ] = None
    weights: Annotated[
        str | None,
        Field(description="File of the module's trained weights: torch.save(network.state_dict(), FILE)"),
    ] = None
    layers: Annotated[
        list[Annotated[Count, Field(ge=1, le=65536)]],
        Field(min_length=2, max_length=20, description="Layer sizes, inputs first"),
    ] = [784, 256, 128, 10]
    convolutions: Annotated[
        list[ConvolutionLayer],
        Field(max_length=10, description="Convolutional layers before the fully connected ones"),
    ] = []
    scheme: Annotated[
        Scheme,
        Field(
            description="reference: a cell per weight and two reference columns; differential: two cells a weight; "
            "binary: as reference, with the lowest and the highest level alone"
        ),
    ] = "reference"
    r_reference: Annotated[
        Literal["middle"]
        | Annotated[float, Quantity("ohm", "Hall resistance that stands for a weight of zero")],
        Field(description="Zero of the weights of reference: middle of the window, or a resistance in ohm"),
    ] = "middle"
    weight_slices: Annotated[
        list[Significance],
        Field(
            min_length=1,
            max_length=16,
            description="What each slice of a weight (a cell, or a pair) counts beside the others, [1, 6] for two; "
            "each is converted on its own",
        ),
    ] = [1.0]
    weight_noise: Annotated[
        float, Quantity("1", "noise of every cell in training, share of the window", low=0.0, high=0.5)
    ] = 0.0
    circuit_epochs: Annotated[
        Count, Field(ge=0, le=1000, description="Epochs of further training through the circuit")
    ] = 0
    recipe: Annotated[
        Literal["good", "paper", "literal"],
        Field(
            description="Training recipe; paper: the reading of the paper's methods that comes nearest to its "
            "accuracies; literal: what they state, and as little else as possible"
        ),
    ] = "good"
    epochs: Annotated[Count, Field(ge=1, le=10000, description="Training epochs")] = 30
    batch_size: Annotated[Count, Field(ge=1, le=60000, description="Training batch")] = 128
    in_situ: InSitu = InSitu()
    products: Annotated[
        Literal["float32", "bfloat16"],
        Field(
            description="Factors of the products in training; bfloat16 is faster where the processor has it"
        ),
    ] = "float32"
    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        Field(description="Where training runs; auto: on a graphics processor when torch finds one"),
    ] = "auto"


class Layer(Section):
    """What the layers of a pattern have instead of what the array has; empty: as the array."""

    where_empty: ClassVar[str] = "as the array"

    tile: Annotated[
        tuple[Annotated[Count, Field(ge=1, le=1024)], Annotated[Count, Field(ge=1, le=1024)]] | None,
        Field(description="Largest [rows, columns] of a tile"),
    ] = None
    bits: Annotated[
        Annotated[Count, Field(ge=1, le=16)] | None, Field(description="Bits of inputs and outputs")
    ] = None
    input_slice_bits: Annotated[
        Annotated[Count, Field(ge=1, le=16)] | None,
        Field(description="Bits of an input that one read carries"),
    ] = None
    scheme: Annotated[
        Scheme | None,
        Field(description="How cells make a weight"),
    ] = None
    weight_slices: Annotated[
        list[Significance] | None,
        Field(
            min_length=1, max_length=16, description="What each slice of a weight counts beside the others"
        ),
    ] = None
    levels: Annotated[
        list[Annotated[Count, Field(ge=0)]] | None,
        Field(
            min_length=2,
            max_length=MOST_LEVELS,
            description="Which of the device's levels, by number, the lowest is 0",
        ),
    ] = None
    digital: Annotated[bool, Field(strict=True, description="The layer stays digital")] = False
