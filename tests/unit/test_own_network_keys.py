"""Keys about a network of one's own, and options of its layers: what they need, and what they make."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compact_model.cards.document import DocumentError
from hallspice.config.load import load_setup
from hallspice.config.schema import Config
from hallspice.config.setup import Setup
from hallspice.config.source import load_config
from hallspice.networks.kept import layer_options, level_set_of, states_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("net.py", "net.pt"):
        (tmp_path / name).touch()
    return tmp_path


def setup_of(folder: Path, text: str) -> Setup:
    path = folder / "mine.yaml"
    path.write_text(text)
    return load_setup(path)


OWN = "network: {module: 'net.py:make', weights: net.pt}\n"


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (OWN, []),
        (
            "network: {module: 'net:make', weights: nett.pt}",
            [
                "1:19 network.module: FOLDER/net: no such file, expected FILE.py:FUNCTION",
                "1:40 network.weights: FOLDER/nett.pt: no such file, expected what torch.save(",
            ],
        ),
        ("network: {module: net.py, weights: net.pt}", ["1:19 network.module: 'net.py' names no function, expected"]),
        ("network: {module: 'net.py:', weights: net.pt}", ["1:19 network.module: 'net.py:' names no function"]),
        ("network: {module: ':make', weights: net.pt}", ["1:19 network.module: ':make' names no function"]),
        ("network: {weights: differential}", ["1:20 network.weights: differential is how cells make a weight: write"]),
        ("network: {weights: net.pt}", ["1:10 network.module: '' names no function, expected FILE.py:FUNCTION"]),
        ("network: {module: 'net.py:make'}", ["1:10 network.weights: FOLDER: no such file"]),
        (
            "network:\n  module: net.py:make\n  weights: net.pt\n"
            "  epochs: 3\n  layers: [784, 10]\n  in_situ: {updates: [ladder]}\n",
            [
                f"{place}: has no effect on a network of network.module, which is trained already; leave it out"
                for place in ("4:11 network.epochs", "5:11 network.layers", "6:22 network.in_situ.updates")
            ],
        ),
        (OWN + "layers: {'a': {digital: true, bits: 4}}", ["2:25 layers.a.digital: a digital layer has no bits;"]),
        (OWN + "layers: {'a': {levels: [0, 6]}}", ["2:24 layers.a.levels: 6: the device has 6 levels, allowed: 0"]),
        (OWN + "layers: {'a': {levels: [2, 5, 2]}}", ["2:24 layers.a.levels: 2, 5, 2: a level stands twice"]),
        (OWN + "layers: {'a': {tile: [8, 2]}}", ["2:22 layers.a.tile: 2 columns, such weights need"]),
        (OWN + "layers: {'a': {tile: [8, 2], scheme: differential}}", []),
        (OWN + "layers: {'a': {tile: [8, 1], scheme: differential}}", ["2:22 layers.a.tile: 1 columns, such"]),
        (OWN + "layers: {'a': {tile: [8, 4], weight_slices: [1, 2, 4]}}", ["2:22 layers.a.tile: 4 columns, such"]),
        (OWN + "layers: {'a': {tile: [8, 4], weight_slices: [1, 2]}}", []),
        (OWN + "layers: {'a': {weight_slices: [1, 1, 1, 1, 1, 1, 1]}}", ["2:31 layers.a.weight_slices: 7 slices of"]),
        ("layers: {'a': {weight_slices: [1, 2]}}", ["1:31 layers.a.weight_slices: a built-in network is trained"]),
        ("layers: {'a': {bits: 4, tile: [8, 8]}}", []),
        ("layers: {'a': {scheme: binary}}", ["1:24 layers.a.scheme: a built-in network is trained on one set"]),
        ("layers: {'a': {levels: [0, 1]}}", ["1:24 layers.a.levels: a built-in network is trained on one set"]),
        ("layers: {'a': {bits: 17}}", ["1:22 layers.a.bits: 17 is out of range, allowed: <= 16"]),
        ("layers: {'a': {bit: 4}}", ["1:16 layers.a.bit: unknown key, did you mean 'bits'?"]),
        ("layers: {'a': {tile: 8}}", ["1:22 layers.a.tile: "]),
    ],
)  # fmt: skip
def test_keys_of_a_network_of_ones_own(folder: Path, text: str, messages: list[str]) -> None:
    if not messages:
        setup_of(folder, text)
        return
    with pytest.raises(DocumentError) as caught:
        setup_of(folder, text)
    said = str(caught.value).splitlines()
    assert len(said) == len(messages), said
    for line, message in zip(said, messages, strict=True):
        assert line.startswith(f"{folder / 'mine.yaml'}:{message}".replace("FOLDER", str(folder))), said


def test_files_are_beside_the_configuration(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = setup_of(folder, OWN)
    assert setup.own_module == (folder / "net.py", "make")
    assert load_setup({"seed": 1}).own_module is None
    found = load_config(folder / "mine.yaml").network
    assert (found.module, found.weights, found.dataset) == (
        f"{folder}/net.py:make",
        f"{folder}/net.pt",
        "mnist",
    )
    monkeypatch.chdir(folder)
    assert load_setup(load_config("mine.yaml")).own_module == (Path("net.py"), "make")
    assert load_config("mine.yaml") == Config.model_validate(
        {"network": {"module": "net.py:make", "weights": "net.pt"}}
    )


def options(folder: Path, layers: str, rest: str = "", network: str = "") -> Any:
    text = (
        f"{rest}network: {{module: 'net.py:make', weights: net.pt{network}}}\nlayers: {{'a.*': {layers}}}\n"
    )
    return layer_options(setup_of(folder, text))["a.*"]


def test_options_of_layers(folder: Path) -> None:
    plain = options(folder, "{bits: 4, tile: [32, 16]}")
    assert (plain.tile, plain.bits, plain.level_set, plain.state_ohm, plain.digital) == (
        (32, 16),
        4,
        None,
        None,
        False,
    )
    assert options(folder, "{digital: true}").digital
    pairs = options(folder, "{scheme: differential}").level_set
    assert (pairs.scheme, len(pairs.weights)) == ("differential", 23)
    assert pairs.levels_ohm.tolist() == [0.33, 0.46, 0.49, 0.52, 0.54, 0.57]
    three = options(folder, "{levels: [5, 0, 1]}")
    assert three.level_set.levels_ohm.tolist() == [0.33, 0.46, 0.57]
    assert three.level_set.weights == pytest.approx([-1, 1 / 12, 1], rel=1e-12)
    assert three.state_ohm is None
    assert options(folder, "{scheme: binary, levels: [1, 2, 4]}").level_set.levels_ohm.tolist() == [
        0.46,
        0.54,
    ]


def test_the_reference_of_single_cells(folder: Path) -> None:
    moved = ", r_reference: 0.5"
    assert options(folder, "{levels: [1, 4]}", network=moved).level_set.r_reference == pytest.approx(
        0.5, rel=1e-12
    )
    assert options(folder, "{scheme: differential}", network=moved).level_set.r_reference == 0.0
    with pytest.raises(
        ValueError, match=r"mine\.yaml layers\.a\.\*\.levels: r_reference = 0.5 Ohm is outside the levels"
    ):
        options(folder, "{levels: [0, 1]}", network=moved)


def test_two_terminal_cells_of_a_layer_have_the_states_of_their_levels(folder: Path) -> None:
    """Conductances 5, 10, 25 and 30 uS; the second and the third alone."""
    cells = "array: {architecture: resistive, cell: {conductances: [5 uS, 10 uS, 25 uS, 30 uS]}}\n"
    two = options(folder, "{levels: [1, 2]}", cells)
    assert two.state_ohm == pytest.approx([1e5, 4e4], rel=1e-12)
    assert two.level_set.weights.tolist() == [-1.0, 1.0]
    setup = setup_of(folder, cells + OWN)
    every = level_set_of(setup)
    assert states_of(setup, every) == pytest.approx([2e5, 1e5, 4e4, 1 / 30e-6], rel=1e-12)
    assert every.weights == pytest.approx(np.array([-1, -0.6, 0.6, 1]), rel=1e-9)
    assert states_of(setup_of(folder, OWN), every) is None
