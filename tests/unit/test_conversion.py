"""Models of one's own on arrays: what becomes of every module, and the traps that conversions fall into."""

import copy
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from circuits.arrays.config import ArrayConfig
from nn_mapping.accuracy import digitally
from nn_mapping.analog.attention import ArrayMultiheadAttention
from nn_mapping.analog.chip_design import Chip, LayerOptions
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.convolution import ArrayConv2d
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.analog.linear import ArrayLinear, ArrayMatrix, NotCalibratedError
from nn_mapping.analog.report import Fate
from nn_mapping.column_readout import Readout
from nn_mapping.levels import PAPER_LEVELS_OHM, level_set, pair_levels, single_levels
from nn_mapping.mapping import resistive_states
from nn_mapping.post_training import best_scale

PAIRS = pair_levels(PAPER_LEVELS_OHM)
IDEAL = ArrayConfig(
    architecture="active_parallel", r_row=0, r_column=0, r_output=0, r_input=1e-6, cmrr_db=float("inf")
)
WIRED = ArrayConfig(architecture="active_parallel", r_row=0.05, r_column=0.05)
EXACT = Readout(v_full=0.5, dac_bits=None, adc_bits=None, trim=False, quantile=1.0)
PERFECT = Chip(config=IDEAL, level_set=PAIRS, readout=EXACT, tile=(5, 6))
REAL = Chip(config=WIRED, level_set=PAIRS, readout=Readout(v_full=0.5), tile=(16, 16))


def label(layer: nn.Module) -> str:
    """Name of a case."""
    return re.sub(r"\W+", "_", str(layer)).strip("_")


def on_levels(model: nn.Module) -> nn.Module:
    """The model in double precision with matrices that the pairs hold exactly, at a scale of 0.2."""
    random = np.random.default_rng(0)
    with torch.no_grad():
        for parameter in model.double().parameters():
            if parameter.ndim > 1:
                drawn = PAIRS.weights[random.integers(0, 23, tuple(parameter.shape))]
                drawn.reshape(-1)[0] = 1.0
                for third in np.array_split(drawn, 3) if len(drawn) % 3 == 0 else ():
                    third.reshape(-1)[0] = 1.0
                parameter.copy_(torch.from_numpy(0.2 * drawn))
    return model


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(
        found, expected.detach(), rtol=0, atol=2e-6 * float(expected.detach().abs().max())
    )


def arrays_of(model: nn.Module) -> list[ArrayMatrix]:
    return [part for part in model.modules() if isinstance(part, ArrayMatrix)]


def error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).detach().abs().max() / expected.detach().abs().max())


# Attention


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("training", [True, False])
def test_a_transformer_is_computed_by_arrays(training: bool) -> None:
    """Worse arrays give other outputs: nothing is read past the arrays, in evaluation without gradients either."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=12, dropout=0.0, batch_first=True)
    model = nn.TransformerEncoder(layer, 2)
    model.train(training)
    x = torch.randn(3, 5, 8)
    padding = torch.zeros(3, 5, dtype=torch.bool)
    padding[0, 3:] = True
    with torch.no_grad():
        outputs = []
        for bits in (4, 8):
            readout = replace(REAL.readout, dac_bits=bits, adc_bits=bits)
            arrays, report = convert(model, replace(REAL, readout=readout))
            calibrate(arrays, x)
            assert {row.names[0] for row in report.rows if row.fate is Fate.ARRAY} == {
                f"layers.{number}.{part}" for number in (0, 1) for part in ("self_attn", "linear1", "linear2")
            }
            outputs.append(arrays(x, src_key_padding_mask=padding))
        expected = model(x, src_key_padding_mask=padding)
        outputs = [torch.where(padding[:, :, None], 0, y) for y in outputs]
        expected = torch.where(padding[:, :, None], 0, expected)
    assert 0.02 < error(outputs[1], expected) < error(outputs[0], expected)
    assert len(arrays_of(arrays)) == 12


def test_arrays_beside_a_digital_attention_are_used_in_evaluation() -> None:
    torch.manual_seed(0)
    model = nn.TransformerEncoderLayer(8, 2, dim_feedforward=12, batch_first=True).eval()
    x = torch.randn(3, 5, 8)
    chip = replace(REAL, layers={"self_attn": LayerOptions(digital=True)})
    arrays, report = convert(model, chip)
    calibrate(arrays, x)
    with torch.no_grad():
        assert error(arrays(x), model(x)) > 1e-4
    assert (report["self_attn"].reason, report["self_attn"].multiplies) == ("asked for", False)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_attention_is_what_it_was(batch_first: bool, bias: bool) -> None:
    torch.manual_seed(0)
    model = on_levels(nn.MultiheadAttention(6, 3, bias=bias, batch_first=batch_first))
    arrays, report = convert(model, PERFECT)
    x = torch.randn(4, 4, 6, dtype=torch.float64)
    calibrate(arrays, [x], run=lambda net, batch: net(batch, 0.5 * batch, 2 * batch))
    arrays.eval()
    mask = torch.triu(torch.ones(4, 4, dtype=torch.bool), 1)
    padding = torch.tensor([[False, False, False, True]] * 4)
    by_head = torch.randn(12, 4, 4, dtype=torch.float64)
    for options in (
        {},
        {"attn_mask": mask, "is_causal": True},
        {"key_padding_mask": padding, "average_attn_weights": False},
        {"attn_mask": by_head, "key_padding_mask": padding.double()},
    ):
        expected, weights = model.eval()(x, 0.5 * x, 2 * x, **options)
        found, shown = arrays(x, 0.5 * x, 2 * x, **options)
        close(found, expected)
        close(shown, weights)
    assert arrays(x, x, x, need_weights=False)[1] is None
    found, shown = arrays(x[0], 0.5 * x[0], 2 * x[0], key_padding_mask=padding[0])
    expected, weights = model(x[0], 0.5 * x[0], 2 * x[0], key_padding_mask=padding[0])
    close(found, expected)
    close(shown, weights)
    with pytest.raises(ValueError, match="attn_mask, which is missing"):
        arrays(x, x, x, is_causal=True)
    assert report[""].tiles == 4 * 2 * 2


def test_keys_and_values_of_other_widths() -> None:
    torch.manual_seed(0)
    model = on_levels(nn.MultiheadAttention(4, 2, kdim=3, vdim=5, batch_first=True)).eval()
    arrays, _ = convert(model, PERFECT)
    given = [torch.randn(2, 3, width, dtype=torch.float64) for width in (4, 3, 5)]
    calibrate(arrays, [given], run=lambda net, batch: net(*batch))
    close(arrays(*given)[0], model(*given)[0])


def test_attention_that_arrays_have_no_form_for_stays_digital_and_is_named() -> None:
    _, report = convert(nn.MultiheadAttention(4, 2, add_zero_attn=True), PERFECT)
    assert report[""].reason.startswith("bias_k")
    model = nn.MultiheadAttention(4, 2, add_bias_kv=True)
    same, report = convert(model, PERFECT)
    assert isinstance(same, nn.MultiheadAttention)
    assert report[""].multiplies
    with pytest.raises(ValueError, match="products that stay digital: model: MultiheadAttention: bias_k"):
        convert(model, PERFECT, "error")


# Recurrent layers


@pytest.mark.parametrize(
    "layer",
    [
        nn.LSTM(3, 4),
        nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True),
        nn.LSTM(3, 4, num_layers=2, proj_size=2, bias=False),
        nn.GRU(3, 4),
        nn.GRU(3, 4, num_layers=2, bidirectional=True, batch_first=True, bias=False),
    ],
    ids=label,
)
def test_recurrent_layers_are_what_they_were(layer: nn.RNNBase) -> None:
    torch.manual_seed(0)
    layer.reset_parameters()
    model = on_levels(copy.deepcopy(layer)).eval()
    arrays, report = convert(model, PERFECT)
    x = torch.randn(5, 5, 3, dtype=torch.float64)
    calibrate(arrays, [x, -x])  # states of both signs everywhere
    assert report[""].fate is Fate.ARRAY
    assert report[""].tiles == sum(part.tiles.tiling.tiles for part in arrays_of(arrays))

    def compare(inputs: Tensor, state: object) -> object:
        expected, last = model(inputs, state)
        found, end = arrays(inputs, state)
        close(found, expected)
        for one, other in zip(end, last, strict=True) if isinstance(last, tuple) else [(end, last)]:
            close(one, other)
        return last

    state = compare(x, None)
    compare(0.5 * x, state)
    first = tuple(part[:, 0] for part in state) if isinstance(state, tuple) else state[:, 0]
    compare(x[0], first)
    compare(x[0], None)
    with pytest.raises(TypeError, match="padded sequences"):
        arrays(nn.utils.rnn.pack_sequence([x[0]]))


@pytest.mark.parametrize(
    "cell", [nn.LSTMCell(3, 4), nn.GRUCell(3, 4), nn.GRUCell(3, 4, bias=False)], ids=label
)
def test_recurrent_cells_are_what_they_were(cell: nn.Module) -> None:
    torch.manual_seed(0)
    model = on_levels(copy.deepcopy(cell))
    arrays, _ = convert(model, PERFECT)
    x = torch.randn(5, 3, dtype=torch.float64)
    state = torch.randn(5, 4, dtype=torch.float64)
    given = (state, 0.5 * state) if isinstance(cell, nn.LSTMCell) else state
    calibrate(arrays, [x], run=lambda net, batch: net(batch, given))
    single = tuple(part[0] for part in given) if isinstance(given, tuple) else given[0]
    for inputs, before in ((x, given), (x, None), (x[0], single), (x[0], None), (x[:1], None)):
        expected, found = model(inputs, before), arrays(inputs, before)
        for one, other in (
            zip(found, expected, strict=True) if isinstance(expected, tuple) else [(found, expected)]
        ):
            close(one, other)


def test_dropout_between_recurrent_layers_follows_the_mode() -> None:
    torch.manual_seed(0)
    model = on_levels(nn.GRU(3, 4, num_layers=2, dropout=0.5))
    arrays, _ = convert(model, PERFECT)
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    calibrate(arrays, x)
    assert arrays.training
    assert error(arrays(x)[0], arrays(x)[0]) > 1e-3
    close(arrays.eval()(x)[0], model.eval()(x)[0])


def test_dropout_is_between_layers_alone() -> None:
    """What comes into the first layer is left as it is: its last state is that of evaluation."""
    torch.manual_seed(0)
    model = on_levels(nn.GRU(3, 4, num_layers=2, dropout=1.0))
    arrays, _ = convert(model, PERFECT)
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    calibrate(arrays, x)
    _, expected = model.eval()(x)
    _, found = arrays.train()(x)
    close(found[0], expected[0])
    assert error(found[1], expected[1]) > 1e-3


# What is shared, tied, frozen


def test_a_layer_at_two_places_is_one_array() -> None:
    torch.manual_seed(0)
    shared = nn.Linear(6, 6)
    model = on_levels(nn.Sequential(shared, nn.ReLU(), shared, nn.Sequential(shared)))
    arrays, report = convert(model, PERFECT)
    assert isinstance(arrays, nn.Sequential)
    assert arrays[0] is arrays[2]
    assert arrays[0] is arrays[3][0]
    assert report["0"].names == ("0", "2", "3.0")
    assert report["2"] is report["0"]
    assert len([row for row in report.rows if row.fate is Fate.ARRAY]) == 1
    x = torch.randn(7, 6, dtype=torch.float64)
    calibrate(arrays, x)
    close(arrays(x), model(x))
    hidden = arrays[1](arrays[0](x))
    most = float(max(x.max(), hidden.max(), arrays[2](hidden).max()))
    assert float(arrays[0].tiles.input_full[0]) == pytest.approx(most), "of all uses"


class Tied(nn.Module):
    """An embedding and a head of the same weights."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.table.weight

    def forward(self, index: Tensor) -> Tensor:
        """Scores (count, 7)."""
        return self.head(self.table(index))


def test_tied_weights_stay_tied() -> None:
    model = on_levels(Tied())
    arrays, report = convert(model, PERFECT)
    assert arrays.head.weight is arrays.table.weight
    assert arrays.head.weight is not model.table.weight
    assert (report["table"].reason, report["table"].multiplies) == ("a table that is looked up", False)
    index = torch.arange(7)
    calibrate(arrays, index)
    close(arrays(index), model(index))
    assert len(list(arrays.parameters())) == 1


def test_tied_projections_of_two_attentions_stay_tied() -> None:
    first, second = nn.MultiheadAttention(4, 2), nn.MultiheadAttention(4, 2)
    second.in_proj_weight = first.in_proj_weight
    arrays, _ = convert(nn.ModuleList([first, second]), PERFECT)
    one, other = arrays
    assert isinstance(one, ArrayMultiheadAttention)
    assert one.key.weight is other.key.weight
    assert one.key.weight is not one.query.weight
    assert one.out.weight is not other.out.weight
    assert torch.equal(one.value.weight, first.in_proj_weight[8:])


def test_frozen_layers_stay_frozen() -> None:
    model = nn.ModuleDict(
        {"body": nn.Linear(3, 3), "attention": nn.MultiheadAttention(2, 1), "head": nn.Linear(3, 2)}
    )
    for part in ("body", "attention"):
        model[part].requires_grad_(False)
    arrays, _ = convert(model, PERFECT)
    assert {name.split(".")[0] for name, value in arrays.named_parameters() if value.requires_grad} == {
        "head"
    }


# Calibration, modes, states


def test_full_scales_come_from_the_given_set_whatever_its_order() -> None:
    """A batch of zeros first, small values, batches of one: the largest of all batches counts."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 8, bias=False), nn.ReLU(), nn.Linear(8, 4, bias=False))
    x = 0.01 * torch.rand(40, 12)
    errors = []
    for batches in (
        [x],
        [torch.zeros(0, 12), torch.zeros(1, 12), 1e-3 * x, x],
        [x, torch.zeros(0, 12), torch.zeros(4, 12)],
        list(x[:, None]),
    ):
        arrays, _ = convert(model, REAL)
        with pytest.raises(NotCalibratedError, match=r"^0: no full scales yet"):
            arrays(x)
        calibrate(arrays, batches)
        errors.append(error(arrays.eval()(x), model(x)))
    assert max(errors) < 1.3 * errors[0] < 0.3


def test_in_evaluation_nothing_moves() -> None:
    """Neither other traffic nor gradients change an output."""
    torch.manual_seed(0)
    arrays, _ = convert(nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 4)), REAL)
    x = torch.rand(5, 2, 4, 4)
    calibrate(arrays, x)
    arrays.eval()
    before = arrays(x)
    for factor in (0.01, 1.0, 30.0):
        arrays(factor * x).sum().backward()
    with torch.no_grad():
        arrays(-x)
        assert torch.equal(arrays(x), before)
    assert torch.equal(arrays(x), before)


def test_changed_weights_are_seen_without_gradients() -> None:
    """What was made of the weights is kept in evaluation, and made anew whenever they change, in whatever way."""
    torch.manual_seed(0)
    model = on_levels(nn.Linear(6, 3))
    arrays, _ = convert(model, PERFECT)
    x = torch.rand(5, 6, dtype=torch.float64)
    calibrate(arrays, x)
    arrays.eval()
    with torch.no_grad():
        first = arrays(x)
        arrays.weight.data.neg_()  # as older programs do it, unseen by torch's counters
        changed = arrays(x)
        close(changed - arrays.bias, arrays.bias - first)
        arrays.tiles.gain0.mul_(2.0)
        close(arrays(x) - arrays.bias, 2 * (changed - arrays.bias))


def test_matrices_are_made_once_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without gradients, and for weights that have none; in training every time."""
    torch.manual_seed(0)
    arrays, _ = convert(nn.Linear(6, 3), REAL)
    x = torch.rand(5, 6)
    calibrate(arrays, x)
    arrays.eval()
    made: list[int] = []
    matrices = arrays.tiles.matrices
    monkeypatch.setattr(arrays.tiles, "matrices", lambda weights: made.append(1) or matrices(weights))
    with torch.no_grad():
        arrays(x)
        arrays(x)
    assert len(made) <= 1  # calibration has made them already
    arrays(x)
    arrays(x)
    assert len(made) in (2, 3)
    del made[:]
    arrays.requires_grad_(False)
    arrays(x)
    arrays(x)
    assert made == []


def test_in_evaluation_changed_weights_are_not_trimmed_anew() -> None:
    torch.manual_seed(0)
    arrays, _ = convert(nn.Linear(6, 3), REAL)
    x = torch.rand(5, 6)
    calibrate(arrays, x)
    arrays.eval()
    gain = arrays.tiles.gain0.clone()
    with torch.no_grad():
        arrays.weight.mul_(-0.5)
        arrays(x)
    assert torch.equal(arrays.tiles.gain0, gain)
    assert arrays.tiles.steps == 0


def test_inputs_of_both_signs_and_unequal_ranges() -> None:
    """The negative part has a full scale of its own: it is seen as sharply as the positive one."""
    torch.manual_seed(0)
    model = nn.Linear(16, 6, bias=False)
    x = torch.randn(400, 16)
    x = torch.where(x > 0, 0.02 * x, x)
    readout = Readout(v_full=0.5, dac_bits=8, adc_bits=8, quantile=1.0)
    arrays, _ = convert(model, replace(REAL, readout=readout))
    calibrate(arrays, x)
    arrays.eval()
    assert float(arrays.tiles.input_full[1]) > 20 * float(arrays.tiles.input_full[0])
    held = convert(model, replace(PERFECT, tile=(16, 16)))[0]
    calibrate(held, x)
    assert error(arrays(x), held(x)) < 0.05
    positive = x.clamp(min=0)
    assert error(arrays(positive), held(positive)) < 0.05


@pytest.mark.parametrize("scheme", ["reference", "differential"])
@pytest.mark.parametrize("rows", [2, 6, 16])
def test_the_mean_of_passive_columns_is_undone_by_the_rows_of_each_tile(scheme: str, rows: int) -> None:
    torch.manual_seed(0)
    levels = level_set(scheme, PAPER_LEVELS_OHM)
    config = ArrayConfig(architecture="passive_parallel", r_row=0.001, r_column=0.001, r_output=1e-5)
    model = nn.Linear(16, 4, bias=False).double()
    readout = replace(EXACT, trim=True, adc_bits=14)
    chip = Chip(config=config, level_set=levels, readout=readout, tile=(rows, 8))
    arrays, _ = convert(model, chip)
    held, _ = convert(model, replace(chip, config=IDEAL, readout=EXACT))
    x = torch.rand(50, 16, dtype=torch.float64)
    calibrate(arrays, x)
    calibrate(held, x)
    assert error(arrays.eval()(x), held.eval()(x)) < 0.01


def test_two_terminal_cells_need_states() -> None:
    config = ArrayConfig(architecture="resistive")
    readout = Readout(v_full=0.2)
    with pytest.raises(
        ValueError, match=r"state_ohm is missing, the resistance \[Ohm\] of a cell at each of the 6 levels"
    ):
        Chip(config=config, level_set=PAIRS, readout=readout)
    states = resistive_states(PAIRS.levels_ohm, 1e4, 1e5)
    with pytest.raises(ValueError, match="not linear in the levels"):
        Chip(config=config, level_set=PAIRS, readout=readout, state_ohm=states * np.linspace(1, 1.1, 6))
    with pytest.raises(ValueError, match="not linear in the levels"):
        Chip(config=config, level_set=PAIRS, readout=readout, state_ohm=np.full(6, 1e4))
    for wrong in (-states, np.array([0.0, 1, 2, 3, 4, 5])):
        with pytest.raises(ValueError, match="0 < value < inf"):
            Chip(config=config, level_set=PAIRS, readout=readout, state_ohm=wrong)
    for off, linear in ((0.9e-6, True), (1.1e-6, False)):  # of the window
        siemens = 1 / states
        siemens[1] += off * (siemens[-1] - siemens[0])
        if linear:
            Chip(config=config, level_set=PAIRS, readout=readout, state_ohm=1e-5 / siemens)
        else:
            with pytest.raises(ValueError, match="not linear in the levels"):
                Chip(config=config, level_set=PAIRS, readout=readout, state_ohm=1e-5 / siemens)
    with pytest.raises(ValueError, match="state_ohm has 2 entries, the device 6 levels"):
        Chip(config=config, level_set=PAIRS, readout=readout, state_ohm=states[:2])
    with pytest.raises(ValueError, match="resistive cells have none"):
        Chip(config=config, level_set=PAIRS, readout=readout, state_ohm=states, mismatch=0.01)


def test_levels_given_as_conductances() -> None:
    siemens = np.array([1e-5, 2e-5, 7e-5, 1e-4])
    levels = level_set("differential", siemens)
    config = ArrayConfig(architecture="resistive", r_row=0.0, r_column=0.0, r_output=0.0, r_input=1e-6)
    chip = Chip(config=config, level_set=levels, readout=EXACT, tile=(4, 4), state_ohm=1 / siemens)
    weights = levels.weights[np.random.default_rng(0).integers(0, len(levels.weights), (3, 6))]
    weights[0, 0] = 1.0
    model = nn.Linear(6, 3, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.from_numpy(weights))
    arrays, _ = convert(model, chip)
    x = torch.rand(5, 6, dtype=torch.float64)
    calibrate(arrays, x)
    close(arrays(x), model(x))


def test_mismatch_of_converters_is_in_the_layer() -> None:
    torch.manual_seed(0)
    model = nn.Linear(16, 6)
    x = torch.rand(50, 16)
    outputs = []
    for dac, adc, seed in ((0.0, 0.0, 0), (0.05, 0.0, 0), (0.0, 0.05, 0), (0.0, 0.05, 1)):
        readout = replace(REAL.readout, dac_mismatch=dac, adc_mismatch=adc)
        arrays, _ = convert(model, replace(REAL, readout=readout, seed=seed))
        calibrate(arrays, x)
        outputs.append(arrays.eval()(x))
    differences = [error(outputs[a], outputs[b]) for a, b in ((0, 1), (0, 2), (2, 3))]
    assert all(0.005 < difference < 0.5 for difference in differences)


def test_levels_of_both_signs_and_many_of_them() -> None:
    torch.manual_seed(0)
    model = nn.Linear(9, 4).double()
    x = torch.rand(20, 9, dtype=torch.float64)
    found = {}
    for count in (3, 256):
        levels = single_levels(np.linspace(-0.2, 0.2, count))
        arrays, report = convert(model, replace(PERFECT, level_set=levels))
        calibrate(arrays, x)
        found[count] = error(arrays(x), model(x))
        assert report[""].levels == count
    assert found[256] < 0.01 < found[3]
    pairs, _ = convert(
        model, replace(PERFECT, level_set=pair_levels(np.sort(np.random.default_rng(0).uniform(-1, 1, 256))))
    )
    calibrate(pairs, x)
    assert error(pairs(x), model(x)) < 1e-3


def test_unbatched_and_empty_inputs_are_as_in_torch() -> None:
    model = nn.Conv2d(2, 3, 3)
    arrays, _ = convert(model, REAL)
    x = torch.rand(4, 2, 5, 5)
    calibrate(arrays, x)
    arrays.eval()
    assert arrays(x[0]).shape == (3, 3, 3)
    assert torch.equal(arrays(x[0]), arrays(x)[0])
    assert arrays(x[:0]).shape == (0, 3, 3, 3)
    for wrong in (torch.rand(4, 3, 5, 5), torch.rand(5, 5), torch.rand(1, 1, 2, 5, 5)):
        with pytest.raises(ValueError, match=r"^model: inputs of shape .* expected \(count, 2, 2 lengths\)"):
            arrays(wrong)
    with pytest.raises(ValueError, match=r"smaller than the kernel \(3, 3\)"):
        arrays(torch.rand(1, 2, 2, 5))


def test_calibration_says_what_it_did_not_reach() -> None:
    class Past(nn.Module):
        """A layer whose weights are read past it, and one that is not used."""

        def __init__(self) -> None:
            super().__init__()
            self.used, self.read, self.idle = nn.Linear(3, 3), nn.Linear(3, 2), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            """Outputs (count, 2)."""
            return nn.functional.linear(self.used(x), self.read.weight)

    arrays, _ = convert(Past(), REAL)
    with pytest.raises(ValueError, match=r"^no input reaches read, idle: not used, or read past the array"):
        calibrate(arrays, torch.rand(5, 3))
    with pytest.raises(NotCalibratedError, match=r"^read: "):
        arrays.read(torch.rand(1, 3))
    with pytest.raises(ValueError, match="has no arrays"):
        calibrate(Past(), torch.rand(5, 3))


def test_calibration_leaves_modes_alone_and_takes_batches_of_pairs() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.9), nn.Linear(4, 2))
    model[1].eval()
    arrays, _ = convert(model, PERFECT)
    assert [part.training for part in arrays] == [True, False, True, True]
    mean = arrays[1].running_mean.clone()
    x = torch.rand(30, 3)
    calibrate(arrays, [(x[:15], "labels"), [x[15:], None]])
    assert [part.training for part in arrays] == [True, False, True, True]
    assert torch.equal(arrays[1].running_mean, mean)
    whole, _ = convert(model, PERFECT)
    calibrate(whole, x)
    assert float(arrays[0].tiles.input_full[0]) == float(x.max())
    torch.testing.assert_close(arrays[3].tiles.input_full, whole[3].tiles.input_full)


def test_a_rare_negative_input_is_still_read() -> None:
    arrays, _ = convert(nn.Linear(4, 2), replace(PERFECT, readout=Readout(v_full=0.5, quantile=0.9)))
    x = torch.rand(100, 4)
    x[3, 2] = -0.25
    calibrate(arrays, x)
    assert float(arrays.tiles.input_full[1]) == 0.25
    assert float(arrays.tiles.input_full[0]) == pytest.approx(
        float(np.quantile(x.clamp(min=0), 0.9)), rel=1e-6
    )
    calibrate(arrays, torch.zeros(3, 4))
    assert arrays.tiles.input_full.tolist() == [0.0, 0.0]
    torch.testing.assert_close(arrays(torch.zeros(1, 4))[0], arrays.bias.detach())


# Options, report, refusals


class Everything(nn.Module):
    """One of each."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 2), nn.BatchNorm2d(4), nn.ReLU())
        self.up = nn.ConvTranspose2d(4, 2, 2)
        self.mix = nn.Bilinear(2, 2, 2)
        self.old = nn.RNN(3, 2)
        self.own = nn.Linear(3, 70)
        self.free = nn.Parameter(torch.zeros(2, 2))


def test_every_module_has_a_row() -> None:
    model = Everything()
    arrays, report = convert(
        model, replace(REAL, layers={"own": LayerOptions(tile=(2, 8), level_set=single_levels([0, 1]))})
    )
    assert isinstance(arrays.body[0], ArrayConv2d)
    assert isinstance(model.body[0], nn.Conv2d)
    fates = {row.names[0]: (row.kind, row.fate, row.reason, row.multiplies) for row in report.rows}
    assert fates == {
        "": ("Everything", Fate.DIGITAL, "has no array form", True),
        "body.0": ("Conv2d", Fate.ARRAY, "", False),
        "body.1": ("BatchNorm2d", Fate.DIGITAL, "works number by number", False),
        "body.2": ("ReLU", Fate.DIGITAL, "no weights", False),
        "up": ("ConvTranspose2d", Fate.DIGITAL, "has no array form", True),
        "mix": ("Bilinear", Fate.DIGITAL, "has no array form", True),
        "old": ("RNN", Fate.DIGITAL, "has no array form", True),
        "own": ("Linear", Fate.ARRAY, "", False),
    }
    # 4 x 4 kernels on one tile of pairs; 3 inputs in 2 + 1 rows, 70 outputs, 6 of them on a tile with its reference
    assert (report["body.0"].tiles, report["body.0"].cells, report["body.0"].levels) == (1, 4 * 8, 23)
    assert (report["own"].tiles, report["own"].cells, report["own"].levels) == (24, 3 * (70 + 12 * 2), 2)
    assert (report.tiles, report.cells) == (25, 32 + 282)
    lines = str(report).splitlines()
    assert len(lines) == 8
    assert "body.0  Conv2d           array: 1 tiles, 32 cells, 23 levels" in lines
    assert "up      ConvTranspose2d  digital: has no array form" in lines
    assert (report["up"].tiles, report["up"].cells, report["up"].levels) == (0, 0, 0)
    with pytest.raises(KeyError):
        report["nothing"]
    _, alone = convert(nn.Linear(2, 2), REAL)
    assert str(alone) == "model  Linear  array: 1 tiles, 8 cells, 23 levels"


def test_a_module_is_judged_by_its_own_weights() -> None:
    class Scaled(nn.Module):
        """A gain for each output of a layer."""

        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.ones(3))
            self.inner = nn.Linear(3, 3)

    _, report = convert(Scaled(), REAL)
    assert (report[""].reason, report[""].multiplies) == ("works number by number", False)


def test_what_a_chip_has_by_default() -> None:
    """Arrays of 64 x 64 cells, all alike, of the first chip."""
    chip = Chip(config=WIRED, level_set=PAIRS, readout=EXACT)
    assert (chip.mismatch, chip.r_off_spread, chip.seed) == (0.0, 0.0, 0)
    assert [convert(nn.Linear(*size), chip)[1].tiles for size in ((64, 32), (65, 32), (64, 33))] == [1, 2, 2]
    assert ArrayLinear(torch.ones(1, 1), None, chip).tiles.tiling.blocks[0].numbers == (0,)
    assert ArrayConv2d(nn.Conv2d(1, 1, 1), chip).tiles.tiling.blocks[0].numbers == (0,)


def test_digital_products_are_refused_on_request() -> None:
    with pytest.raises(
        ValueError, match=r"stay digital: up: ConvTranspose2d: has no array form; mix: .*; old: .*; model"
    ):
        convert(Everything(), REAL, digital="error")
    convert(
        nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2), nn.ReLU(), nn.Embedding(2, 2)), REAL, digital="error"
    )
    with pytest.raises(ValueError, match="'never' is not a valid Digital"):
        convert(Everything(), REAL, digital="never")


def test_options_of_layers() -> None:
    model = nn.Sequential(nn.Linear(20, 6), nn.Linear(6, 6), nn.Linear(6, 6))
    options = {
        "[01]": LayerOptions(tile=(4, 4), bits=3),
        "1": LayerOptions(bits=None, tile=(3, 4)),
        "2": LayerOptions(digital=True),
    }
    arrays, report = convert(model, replace(REAL, layers=options), digital="error")
    assert isinstance(arrays, nn.Sequential)
    assert (report["0"].tiles, report["1"].tiles, report["2"].reason) == (15, 6, "asked for")
    readouts = [part.tiles.chip.readout for part in arrays_of(arrays)]
    assert [(readout.dac_bits, readout.adc_bits) for readout in readouts] == [(3, 3), (3, 3)]
    with pytest.raises(ValueError, match=r"layers: 'head' matches no module that arrays can carry: 0, 1, 2"):
        convert(model, replace(REAL, layers={"head": LayerOptions(bits=2)}))
    with pytest.raises(
        ValueError, match=r"^1: tile of 4 x 2: scheme 'reference' needs at least 1 row and 3 columns"
    ):
        convert(
            model, replace(REAL, layers={"1": LayerOptions(tile=(4, 2), level_set=single_levels([0, 1]))})
        )
    with pytest.raises(ValueError, match=r"^0: state_ohm has 2 entries, the device 6 levels"):
        convert(model, replace(REAL, layers={"0": LayerOptions(state_ohm=np.ones(2))}))


def test_tiles_are_numbered_through_the_model() -> None:
    """So that every tile has a mismatch of its own, and the whole chip has it again by its seed."""
    model = nn.Sequential(
        nn.Linear(4, 3, bias=False), nn.LSTMCell(3, 3), nn.MultiheadAttention(3, 1), nn.Linear(4, 3)
    )
    arrays, report = convert(model, replace(REAL, mismatch=0.02))
    numbers = [
        number for part in arrays_of(arrays) for block in part.tiles.tiling.blocks for number in block.numbers
    ]
    assert numbers == list(range(report.tiles))
    slopes = [part.tiles.responses[0].slope for part in (arrays[0], arrays[3])]
    assert not torch.equal(*slopes)
    again, _ = convert(model, replace(REAL, mismatch=0.02))
    assert torch.equal(again[3].tiles.responses[0].slope, slopes[1])


class Doubled(nn.Linear):
    """A layer with code of its own."""

    def forward(self, x: Tensor) -> Tensor:
        """Twice the product."""
        return 2 * super().forward(x)


class Named(nn.Linear):
    """A layer that computes as its parent does."""


def test_layers_with_code_of_their_own_are_not_taken_for_their_parents() -> None:
    arrays, report = convert(nn.Sequential(Doubled(2, 2), Named(2, 2)), PERFECT)
    assert isinstance(arrays, nn.Sequential)
    assert isinstance(arrays[0], Doubled)
    assert report["0"].reason == "computes in a way of its own, other than Linear"
    assert report["0"].multiplies
    assert isinstance(arrays[1], ArrayLinear)
    assert report["1"].kind == "Named"


def test_what_would_be_lost_is_refused_by_name() -> None:
    hooked = nn.Linear(2, 2)
    hooked.register_forward_hook(lambda *_: None)
    cases = {
        "has hooks": hooked,
        "has parametrised weights": parametrizations.weight_norm(nn.Linear(2, 2)),
        "has no shape yet": nn.LazyLinear(2),
        "has weights of torch.complex64": nn.Linear(2, 2, dtype=torch.complex64),
    }
    for message, layer in cases.items():
        with pytest.raises(ValueError, match=rf"^0\.1: \w*Linear {message}"):
            convert(nn.Sequential(nn.Sequential(nn.ReLU(), layer)), PERFECT)
        chip = replace(PERFECT, layers={"0.1": LayerOptions(digital=True)})
        convert(nn.Sequential(nn.Sequential(nn.ReLU(), layer)), chip)
    broken = nn.Linear(2, 2)
    with torch.no_grad():
        broken.weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"^model: weights are not finite"):
        convert(broken, PERFECT)
    leaky = ArrayConfig(architecture="row_multiplexed", r_switch_off=1e5)
    with pytest.raises(ValueError, match=r"r_switch_off = 100000 Ohm: idle rows act on the outputs"):
        convert(nn.Linear(6, 2), replace(PERFECT, config=leaky))
    with pytest.raises(
        ValueError, match="tile of 0 x 8: scheme 'differential' needs at least 1 row and 2 columns"
    ):
        replace(PERFECT, tile=(0, 8))


def test_a_converted_model_learns() -> None:
    torch.manual_seed(0)
    arrays, _ = convert(nn.Linear(6, 2), REAL)
    x = torch.rand(64, 6)
    target = (x[:, 0] > x[:, 1]).long()
    calibrate(arrays, x)
    optimiser = torch.optim.Adam(arrays.parameters(), lr=0.05)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(arrays(x), target)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_the_best_scale_is_that_of_the_least_squared_error() -> None:
    """Of signs: the mean magnitude. What is searched is 1/60 of the largest weight apart and ends at 1.2 of it."""
    signs = np.array([-1.0, 1.0])
    for most, few in ((1.0, 0.05), (0.2, 1.0), (0.5, 0.9)):
        weights = np.array([most] * 999 + [-few])
        assert best_scale(weights, signs) == pytest.approx(np.abs(weights).mean(), abs=max(most, few) / 119)
    assert best_scale(np.array([0.5]), np.array([-1.0, 0.4])) == pytest.approx(0.6, rel=1e-9)
    # 0.9991 lies between 59/60 and 60/60 of the largest
    assert best_scale(np.array([1.0] * 999 + [-0.05]), signs) == pytest.approx(1.0, rel=1e-9)
    # levels already, up to 1e-6 of the largest, or 0.15 of it
    uneven = np.array([-7.0, 1.0])
    assert best_scale(np.array([1 + 6e-6, -7.0]), uneven) == 1.0
    assert best_scale(np.array([1 + 8e-6, -7.0]), uneven) == pytest.approx(7 * 0.15, rel=1e-9)


def test_free_weights_become_levels_at_the_best_scale() -> None:
    torch.manual_seed(1)
    layer = nn.Linear(30, 8, bias=False).double()
    nn.init.normal_(layer.weight, 0, 0.1)
    arrays, _ = convert(layer, Chip(config=IDEAL, level_set=PAIRS, readout=EXACT))
    inputs = torch.rand(50, 30, dtype=torch.float64)
    with digitally(arrays), torch.no_grad():
        difference = arrays(inputs) - layer(inputs)
    # levels 1/12 of the scale (0.3) apart or less: an error of 0.007 per weight, over sqrt(30 / 3) inputs
    assert float(difference.square().mean().sqrt()) < 0.03
    assert float(arrays.scale) == best_scale(layer.weight.detach().numpy(), PAIRS.weights)
    assert best_scale(np.zeros(3), PAIRS.weights) == 1.0
