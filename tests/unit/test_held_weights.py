"""The way back from arrays to the plain model: what they hold, under the names of torch."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from circuits.arrays.config import ArrayConfig
from nn_mapping.analog.chip_design import Chip, LayerOptions
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.analog.held_weights import held_state
from nn_mapping.analog.linear import ArrayMatrix
from nn_mapping.column_readout import Readout
from nn_mapping.levels import PAPER_LEVELS_OHM, pair_levels, single_levels

IDEAL = ArrayConfig(
    architecture="active_parallel", r_row=0, r_column=0, r_output=0, r_input=1e-6, cmrr_db=float("inf")
)
CHIP = Chip(
    config=IDEAL,
    level_set=pair_levels(PAPER_LEVELS_OHM),
    readout=Readout(v_full=0.5, dac_bits=None, adc_bits=None, trim=False, quantile=1.0),
    tile=(5, 6),
)


class Reader(nn.Module):
    """What `read` makes of a layer and an input."""

    def __init__(self, layer: nn.Module, read: object) -> None:
        super().__init__()
        self.layer, self.read = layer, read

    def forward(self, x: Tensor) -> Tensor:
        """One tensor."""
        return self.read(self.layer, x)  # type: ignore[operator]


def plain(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x)


def sequence(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x)[0]


def attended(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x, 0.5 * x, 2 * x)[0]


CASES = {
    "linear": (nn.Linear(3, 4), plain, (6, 3)),
    "no_bias": (nn.Linear(3, 4, bias=False), plain, (6, 3)),
    "convolution": (nn.Conv2d(2, 6, (3, 2), groups=2), plain, (2, 2, 5, 4)),
    "line": (nn.Conv1d(2, 3, 3), plain, (2, 2, 7)),
    "lstm": (nn.LSTM(3, 4, num_layers=2, bidirectional=True), sequence, (5, 2, 3)),
    "projected": (nn.LSTM(3, 4, proj_size=2, bias=False), sequence, (5, 2, 3)),
    "gru": (nn.GRU(3, 4, num_layers=2), sequence, (5, 2, 3)),
    "lstm_cell": (nn.LSTMCell(3, 4), sequence, (5, 3)),
    "gru_cell": (nn.GRUCell(3, 4), plain, (5, 3)),
    "attention": (nn.MultiheadAttention(4, 2), attended, (5, 2, 4)),
    "wide_attention": (nn.MultiheadAttention(4, 2, kdim=4, vdim=4, bias=False), attended, (5, 2, 4)),
    "mixed": (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)), plain, (6, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_plain_model_computes_with_what_arrays_hold(name: str) -> None:
    torch.manual_seed(0)
    layer, read, shape = CASES[name]
    model = Reader(layer, read).double()
    for values in model.parameters():
        nn.init.normal_(values, std=0.3)
    arrays, _ = convert(model, CHIP)
    x = torch.randn(shape, dtype=torch.float64)
    calibrate(arrays, x)
    with torch.no_grad():
        for values in arrays.parameters():  # as training moves them, up to where the levels end
            values += 0.05 * torch.randn_like(values)
    arrays.eval()
    state = held_state(arrays, model)
    assert list(state) == list(model.state_dict())
    before = model.state_dict()
    assert any(not torch.equal(before[key], state[key]) for key in state)
    model.load_state_dict(state)
    expected = model.eval()(x).detach()
    torch.testing.assert_close(arrays(x).detach(), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("levels", [pair_levels(PAPER_LEVELS_OHM), single_levels(PAPER_LEVELS_OHM)])
def test_converted_again_it_has_the_same_levels(levels: object) -> None:
    torch.manual_seed(0)
    chip = Chip(
        config=ArrayConfig(architecture="active_parallel"), level_set=levels, readout=Readout(v_full=0.5)
    )
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 5))
    x = torch.rand(9, 1, 6, 6)
    arrays, _ = convert(model, chip)
    model.load_state_dict(held_state(arrays, model))
    again, _ = convert(model, chip)
    for array, other in zip(matrices(arrays), matrices(again), strict=True):
        assert torch.equal(array.level_index, other.level_index)
        torch.testing.assert_close(array.scale, other.scale)
    for converted in (arrays, again):
        calibrate(converted, x)
    torch.testing.assert_close(arrays.eval()(x).detach(), again.eval()(x).detach(), rtol=1e-4, atol=1e-5)


def test_what_is_shared_and_what_stays_digital_has_all_its_names() -> None:
    torch.manual_seed(0)
    shared, kept = nn.Linear(3, 3), nn.Linear(3, 3)
    model = nn.Sequential(shared, kept, shared)
    arrays, _ = convert(model, replace(CHIP, layers={"1": LayerOptions(digital=True)}))
    state = held_state(arrays, model)
    assert list(state) == [f"{place}.{name}" for place in "012" for name in ("weight", "bias")]
    assert torch.equal(state["0.weight"], state["2.weight"])
    assert not torch.equal(state["0.weight"], shared.weight)
    assert torch.equal(state["1.weight"], kept.weight)
    assert state["1.weight"].data_ptr() != kept.weight.data_ptr()


def test_arrays_of_another_model_are_refused() -> None:
    arrays, _ = convert(nn.Sequential(nn.Linear(3, 3), nn.ReLU()), CHIP)
    for other, missing in (
        (nn.Sequential(nn.Linear(3, 2)), r"0\.weight, 0\.bias"),
        (nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3, bias=False)), r"1\.weight"),
    ):
        with pytest.raises(ValueError, match=rf"^the arrays hold no {missing}: they were made of another"):
            held_state(arrays, other)


def matrices(model: nn.Module) -> list[ArrayMatrix]:
    return [part for part in model.modules() if isinstance(part, ArrayMatrix)]
