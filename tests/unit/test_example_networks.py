"""The example networks, and the programs beside them, on a few images."""

import runpy
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from circuits.arrays.config import ArrayConfig
from nn_mapping.analog.chip_design import Chip, LayerOptions
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.column_readout import Readout
from nn_mapping.levels import PAPER_LEVELS_OHM, pair_levels

NETWORKS = Path(__file__).parents[2] / "examples" / "networks"
CHIP = Chip(
    config=ArrayConfig(architecture="active_parallel"),
    level_set=pair_levels(PAPER_LEVELS_OHM),
    readout=Readout(v_full=0.5),
)
KINDS = {
    "lenet": {"Conv2d": 2, "Linear": 3},
    "resnet20": {"Conv2d": 19, "Linear": 1},
    "vision_transformer": {"Conv2d": 1, "MultiheadAttention": 2, "Linear": 5},
    "lstm": {"LSTM": 1, "Linear": 1},
}
"""What arrays carry of each network."""


def example(name: str, maker: str = "make") -> nn.Module:
    made: nn.Module = runpy.run_path(str(NETWORKS / f"{name}.py"))[maker]()
    return made


def size(model: nn.Module) -> int:
    return sum(values.numel() for values in model.parameters())


@pytest.mark.parametrize("name", KINDS)
def test_all_products_of_an_example_are_made_by_arrays(name: str) -> None:
    torch.manual_seed(0)
    model, x = example(name).eval(), torch.rand(3, 1, 28, 28)
    arrays, report = convert(model, CHIP, "error")
    found: dict[str, int] = {}
    for row in report.rows:
        if row.tiles:
            found[row.kind] = found.get(row.kind, 0) + 1
    assert found == KINDS[name]
    calibrate(arrays, x)
    with torch.no_grad():
        scores, expected = arrays.eval()(x), model(x)
    assert scores.shape == (3, 10)
    spread = (expected - expected.mean(dim=0)).norm()
    assert 0 < (scores - expected).norm() < 0.6 * expected.norm() + spread


def test_sizes_of_the_published_networks() -> None:
    assert size(example("lenet")) == 61_706
    assert size(example("resnet20")) == 269_434
    coloured = example("resnet20", "make_cifar10")
    assert size(coloured) == 269_434 + 2 * 16 * 9
    assert coloured.eval()(torch.rand(2, 3, 32, 32)).shape == (2, 10)


def test_attention_of_the_vision_transformer_is_made_by_arrays() -> None:
    """Nothing else is on arrays: outputs differ from float, and worse arrays make them differ more."""
    torch.manual_seed(0)
    model, x = example("vision_transformer").eval(), torch.rand(4, 1, 28, 28)
    others = {pattern: LayerOptions(digital=True) for pattern in ("patches", "head", "*.linear?")}
    with torch.no_grad():
        expected, errors = model(x), []
        for bits in (8, 4, 3):
            readout = replace(CHIP.readout, dac_bits=bits, adc_bits=bits)
            arrays, report = convert(model, replace(CHIP, readout=readout, layers=others))
            assert [row.kind for row in report.rows if row.tiles] == ["MultiheadAttention"] * 2
            calibrate(arrays, x)
            errors.append(float((arrays.eval()(x) - expected).norm() / expected.norm()))
    assert 1e-4 < errors[0] < errors[1] < errors[2]


def test_the_training_program_trains_through_the_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = runpy.run_path(str(NETWORKS / "train.py"))
    short = {"images": 400, "epochs": 12, "more": 128, "tested": 200}
    recipe = replace(program["RECIPES"]["lenet"], dataset="mnist", **short)
    monkeypatch.setitem(program["RECIPES"], "lenet", recipe)
    monkeypatch.setattr(sys, "argv", ["train.py", "lenet", "--out", str(tmp_path / "new")])
    threads = torch.get_num_threads()
    program["main"]()
    printed = capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--levels", "six"])
    program["main"]()  # takes the free weights that are there
    torch.set_num_threads(threads)
    again = capsys.readouterr().out
    first = without_times(printed)
    assert without_times(again) == [first[0], first[2]]
    numbers = [float(word) for word in printed.split() if word.replace(".", "").isdigit() and "." in word]
    assert len(numbers) == 7
    assert numbers[0] > 60
    assert min(numbers[1:]) > 30, "guessing has 10; a single step through the arrays"
    model = example("lenet")
    states = {path.stem: torch.load(path, weights_only=True) for path in (tmp_path / "new").iterdir()}
    assert set(states) == {"free", "pairs", "six"}
    for name, levels in (("pairs", 23), ("six", 6)):
        model.load_state_dict(states[name])
        assert len(states[name]["8.weight"].unique()) == levels
        assert not torch.equal(states[name]["12.bias"], states["free"]["12.bias"]), "trained further"


def test_the_training_program_takes_data_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Classes that the pixels of three channels tell: red, green or blue."""
    labels = np.arange(60) % 3
    images = np.zeros((60, 3, 32, 32), dtype=np.uint8)
    images[np.arange(60), labels] = 255
    arrays = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    np.savez(tmp_path / "colours.npz", **arrays)
    model = "from torch import nn\ndef coloured(): return nn.Sequential(nn.Flatten(), nn.Linear(3072, 3))\n"
    (tmp_path / "colours.py").write_text(model)
    shutil.copy(NETWORKS / "train.py", tmp_path)
    program = runpy.run_path(str(tmp_path / "train.py"))
    recipe = replace(program["RECIPES"]["lenet"], images=1024, epochs=1, rate=1e-3, more=128)
    monkeypatch.setitem(program["RECIPES"], "colours", recipe)
    options = ["--data", str(tmp_path / "colours.npz"), "--make", "coloured", "--levels", "pairs"]
    monkeypatch.setattr(sys, "argv", ["train.py", "colours", "--out", str(tmp_path), *options])
    threads = torch.get_num_threads()
    program["main"]()
    torch.set_num_threads(threads)
    printed = capsys.readouterr().out
    assert printed.startswith("free weights: 100.00 % of 60 images")
    assert printed.count("100.00 %") == 4


def without_times(printed: str) -> list[str]:
    return [line.split(";")[0] for line in printed.splitlines()]


def test_cifar_10_becomes_a_file_of_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    records = {name: random.integers(0, 256, (2, 3073), dtype=np.uint8) for name in names}
    for number, (name, values) in enumerate(records.items()):
        values[:, 0] = number
        values.tofile(tmp_path / name)
    out = tmp_path / "cifar10.npz"
    monkeypatch.setattr(sys, "argv", ["cifar10.py", str(tmp_path), "--out", str(out)])
    runpy.run_path(str(NETWORKS / "cifar10.py"), run_name="__main__")
    with np.load(out) as found:
        assert found["train_labels"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
        assert found["test_labels"].tolist() == [5, 5]
        assert found["train_images"].shape == (10, 3, 32, 32)
        red, green = 1 + 32 * 3 + 7, 1 + 1024 + 32 * 3 + 7  # line 3, column 7
        assert (
            found["train_images"][2, :2, 3, 7].tolist()
            == records["data_batch_2.bin"][0, [red, green]].tolist()
        )
        assert (found["class_names"][0], found["class_names"][9]) == ("airplane", "truck")


def importer() -> Any:
    """The package that reads ONNX, where it is installed and works."""
    try:
        import onnx2pytorch
    except ImportError as error:
        pytest.skip(f"the extra `onnx` is not installed: {error}")
    except RuntimeError as error:  # torchvision of one build beside torch of another
        pytest.skip(f"the extra `onnx` does not load here: {error}")
    return onnx2pytorch


def test_an_onnx_file_becomes_a_model_on_arrays(tmp_path: Path) -> None:
    importer()
    import onnx
    from onnx import helper, numpy_helper

    random = np.random.default_rng(0)
    held = {
        name: random.normal(0, 0.3, shape).astype(np.float32)
        for name, shape in {"k": (4, 1, 3, 3), "kb": (4,), "g": (10, 64), "gb": (10,), "m": (10, 3)}.items()
    }
    nodes = [
        helper.make_node("Conv", ["x", "k", "kb"], ["c"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "g", "gb"], ["h"], transB=1),
        helper.make_node("MatMul", ["h", "m"], ["y"]),
    ]
    shapes = {"x": ["n", 1, 8, 8], "y": ["n", 3]}
    given, wanted = (helper.make_tensor_value_info(name, 1, shape) for name, shape in shapes.items())
    weights = [numpy_helper.from_array(values, name) for name, values in held.items()]
    graph = helper.make_graph(nodes, "small", [given], [wanted], weights)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "network.onnx"
    )
    shutil.copy(NETWORKS / "onnx_network.py", tmp_path)

    model = runpy.run_path(str(tmp_path / "onnx_network.py"))["make"]().eval()
    x = torch.rand(5, 1, 8, 8)
    k, kb, g, gb, m = (torch.from_numpy(values) for values in held.values())
    seen = nn.functional.max_pool2d(nn.functional.conv2d(x, k, kb, padding=1).relu(), 2).flatten(1)
    expected: Tensor = nn.functional.linear(seen, g, gb) @ m
    torch.testing.assert_close(model(x).detach(), expected)
    arrays, report = convert(model, CHIP, "error")
    assert [row.kind for row in report.rows if row.tiles] == ["Conv2d", "Linear", "Linear"]
    calibrate(arrays, x)
    with torch.no_grad():
        difference = (arrays.eval()(x) - expected).norm() / expected.norm()
    assert 1e-4 < difference < 0.4
