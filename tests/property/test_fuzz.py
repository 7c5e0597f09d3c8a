"""Readers of files on broken input: a result, or a ValueError that names the file; nothing else.

`make fuzz` runs many more, with fresh random numbers.
"""

import io
import json
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from compact_model.cards.csv_table import read_matrix
from compact_model.cards.device import load_card
from compact_model.cards.document import DocumentError, load_model
from compact_model.cards.quantity import Quantity, parse_quantity
from compact_model.events import read_events
from compact_model.measured.extraction import read_state_table
from compact_model.measured.reader import load_data
from hallspice.config.load import load_setup
from hallspice.config.schema import Config
from nn_mapping.data import parse_idx
from nn_mapping.own_data import read_dataset
from nn_mapping.trained import load_network

TIMES = int(os.environ.get("HALLSPICE_FUZZ", "1"))
"""How many times as many inputs as in the tests; above 1 with fresh random numbers."""

CONFIGS = [
    b"""\
seed: 3
device: {card: card.yaml, levels: [0.33, 0.46 ohm, 0.57], temperature: 310 K}
array:
  architecture: active_parallel  # comment
  rows: 8
  columns: 4
  wire: {r_row: 1e-2, r_column: 10 mohm}
  converters: {dac_bits: 6, adc_bits: 8}
  read: {i_read: 1 mA, t_read: 10 us}
network:
  layers: [784, 20, 10]
  scheme: single
variation: {chips: 3, read_noise: 1 %}
""",
    b"array: {architecture: resistive, cell: {r_low: 10 kohm, r_high: 0.1 Mohm}}\nwrite: {scheme: half}\n",
    b"{seed: 1, certificate: {tiles: 0}, compare: {draws: 2, active_series: {i_read: 50 uA}}}\n",
]
CARDS = [
    b"""\
name: mine
description: >
  another film
based_on: pt_ruo2_0p5
choices: {switching: B, gate: demag, grains: 16}
geometry:
  t_hm: {value: 5, unit: nm, provenance: assumed, source: mine}
  repeats: {value: 3, unit: 1, provenance: measured, source: "TEM"}
switching:
  set_a:
    j63: {value: 2.3e11, unit: A/m^2, provenance: fitted, source: fit, interval: [2.2e11, 2.4e11]}
synapse:
  levels: {value: [0.33, 0.45, 0.57], unit: ohm, provenance: measured, source: me}
  ladder: {value: [11, 15], unit: mA, provenance: measured, source: me}
thickness:
  rho:
    - {t_oxide: 0 nm, value: 4e-7, provenance: measured, source: me}
    - {t_oxide: 1 nm, value: 5e-7, provenance: measured, source: me}
""",
]
FITS = [
    b"""\
name: film 7
synthetic: true
card: card.yaml
data:
  - file: loop.csv
    kind: loop
    columns: {current: {column: I (mA), unit: mA}, hall: {column: R, unit: mohm}}
    constants: {t_pulse: 200 us, h_x: 0}
    prepared: +z
    rounding: 0.1 mohm
  - file: loop.csv
    kind: field_loop
    columns: {h_z: {column: I (mA), unit: mT}, voltage: {column: R, unit: uV}}
    constants: {i_read: 1 mA}
fit: {per_device: [], loss: linear, starts: 2, bounds: {switching.set_a.u0: [0, 0.5]}}
""",
]
LOOP = ["# a sweep", "I (mA),R,device,cycle"]
LOOP += [
    f"{15 * np.sin(k / 5):.3f},{400 + 120 * np.tanh(np.sin(k / 5 - 0.5) * 9):.2f},D1,{k // 32}"
    for k in range(64)
]
LOOPS = [
    "\n".join(LOOP).encode(),
    "\n".join(line.replace(".", ",").replace(",R,", ";R;") for line in LOOP).encode(),
]
MATRICES = [b"ohm,ohm,ohm\n0.33,0.46 ohm,520 mohm\n# comment\n0.57,0.49,0.33\n", b"1,2\r\n3,4\r\n"]
PULSES = [
    b"event,i_a,t_pulse_s,h_x_oe,h_z_oe\npulse,13.01 mA,200 us,0,\nsaturate,,,,-1000\npreset,,,-2350,\n",
    b'i_a,t_pulse_s\n"0.0132",2e-4\n-13 mA,0.2 ms\n',
]
STATES = [b"mean_ohm,sigma_ohm\n0.33,0.001\n0.46,0.002\n0.57,0.001\n"]
IDX = [
    bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]),
    bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4]),
]

NASTY = [
    *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xe9", b"\r", b"\t", b"\x1b[2J", b"\xe2\x80\xa8", b"\x85"),
    *(
        b"1e999",
        b"-1e999",
        b"1e-999",
        b"nan",
        b".inf",
        b"-.inf",
        b"-1",
        b"0",
        b"9" * 400,
        b"0x10",
        b"1_0",
        b"1:30",
    ),
    *(
        b"true",
        b"null",
        b"~",
        b"''",
        b'"',
        b"'",
        b"|",
        b">",
        b"2001-01-01",
        b"\xc2\xb2",
        b"1 m**9**9**9",
        b"1 9**99999999",
    ),
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b":",
        b": ",
        b"#",
        b"- ",
        b"? ",
        b"---\n",
        b"...\n",
        b"%YAML 9.9\n",
        b"@",
        b"`",
    ),
    *(
        b"&a [*a, *a]",
        b"*a",
        b"<<: *a",
        b"!!python/object/apply:os.system [id]",
        b"!x y",
        b"!!binary =",
        b"!!set {a}",
    ),
    *(
        b"[" * 400,
        b"{a: " * 100,
        b"- " * 400,
        b"x" * 20_000,
        b"\n" * 500,
        b"../card.yaml",
        b"/dev/zero",
        b".",
        b"a\nb",
    ),
    *(
        b"based_on: pt_ruo2_0p5\n",
        b"name",
        b"\n.control\nshell id\n.endc\n",
        b"<script>alert(1)</script>",
        b";",
        b"1 V",
    ),
]

KINDS = ("flip", "cut", "drop", "double", "swap", "insert", "value", "end", "random", "text")


def edited(content: bytes, rng: random.Random) -> bytes:
    """A file with one thing changed."""
    place = rng.randint(0, len(content))
    lines = content.split(b"\n")
    line, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    nasty = rng.choice(NASTY)
    match rng.choice(KINDS):
        case "flip":
            return content[:place] + rng.randbytes(1) + content[place + 1 :]
        case "cut":
            return content[:place] + content[place + rng.randint(1, 60) :]
        case "drop":
            return b"\n".join(lines[:line] + lines[line + 1 :])
        case "double":
            return b"\n".join([*lines[:line], lines[other], *lines[line:]])
        case "swap":
            lines[line], lines[other] = lines[other], lines[line]
            return b"\n".join(lines)
        case "insert":
            return content[:place] + nasty + content[place:]
        case "value":
            words = content[place:].split(b" ", 2)
            return content[:place] + b" ".join([words[0], nasty, *words[2:]])
        case "end":
            return rng.choice(
                [
                    content[:place],
                    content.replace(b"\n", b"\r\n"),
                    content.decode("latin-1").encode("utf-16"),
                ]
            )
        case "random":
            return rng.randbytes(place)
        case _:
            return "".join(rng.choices("ab1.:,;[]{}&*!|>'\"#-? \t\n\u00e9\u2028", k=40)).encode()


def broken(originals: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Valid files with a few things changed, and text that never was one, by the number of a random draw."""

    def changed(number: int) -> bytes:
        rng = random.Random(number)
        content = rng.choice(originals)
        for _ in range(rng.randint(1, 4)):
            content = edited(content, rng)
        return content

    return st.integers(0, 2**32 - 1).map(changed)


def inputs(count: int, originals: Sequence[bytes]) -> Callable[[Any], Any]:
    """Run a test with `count` broken files."""

    def decorate(test: Any) -> Any:
        limits = settings(
            max_examples=count * TIMES,
            deadline=None,
            derandomize=TIMES == 1,
            database=None,
            suppress_health_check=[
                HealthCheck.function_scoped_fixture,
                HealthCheck.too_slow,
                HealthCheck.large_base_example,
            ],
        )
        return limits(given(content=broken(originals))(test))

    return decorate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("fuzz")
    (here / "card.yaml").write_bytes(CARDS[0])
    (here / "loop.csv").write_bytes(LOOPS[0])
    return here


def attempt(read: Callable[[Path], Any], path: Path, content: bytes) -> None:
    """Read a file; what it raises must be a ValueError that begins with a file's name."""
    path.write_bytes(content)
    try:
        read(path)
    except ValueError as error:
        text = str(error)
        assert str(path.parent) in text or path.name in text or "loop.csv" in text, text


@inputs(1500, CONFIGS)
def test_configurations(folder: Path, content: bytes) -> None:
    attempt(lambda path: load_model(path, Config), folder / "config.yaml", content)


@inputs(100, CONFIGS)
def test_configurations_with_all_that_they_name(folder: Path, content: bytes) -> None:
    attempt(load_setup, folder / "config.yaml", content)


@inputs(200, CARDS)
def test_cards(folder: Path, content: bytes) -> None:
    attempt(load_card, folder / "other.yaml", content)


@inputs(400, FITS)
def test_descriptions_of_a_fit(folder: Path, content: bytes) -> None:
    attempt(load_data, folder / "data.yaml", content)


@inputs(400, LOOPS)
def test_measurement_tables(folder: Path, content: bytes) -> None:
    (folder / "tables").mkdir(exist_ok=True)
    head, first, _ = FITS[0].split(b"  - file")
    described = head.replace(b"card: card.yaml\n", b"") + b"  - file" + first
    (folder / "tables" / "data.yaml").write_bytes(described)
    attempt(lambda path: load_data(path.with_name("data.yaml")), folder / "tables" / "loop.csv", content)


@inputs(3500, MATRICES)
def test_matrices(folder: Path, content: bytes) -> None:
    attempt(
        lambda path: read_matrix(path, Quantity("ohm", "a state", low=0.0)), folder / "matrix.csv", content
    )


@inputs(2500, PULSES)
def test_lists_of_pulses(folder: Path, content: bytes) -> None:
    attempt(lambda path: read_events(path, load_card()), folder / "pulses.csv", content)


@inputs(600, STATES)
def test_state_tables(folder: Path, content: bytes) -> None:
    attempt(read_state_table, folder / "states.csv", content)


@inputs(400, IDX)
def test_image_files(folder: Path, content: bytes) -> None:
    attempt(lambda path: parse_idx(path.read_bytes(), str(path)), folder / "images", content)


def network_files() -> list[bytes]:
    header = {"format": 1, "layers": 2, "input_bits": 4, "history": {}, "info": {}, "windows": [None, None]}
    arrays = {"header": np.array(json.dumps(header)), "levels": np.array([-1.0, 0.0, 1.0])}
    for number, (rows, columns) in enumerate([(3, 4), (2, 3)]):
        arrays |= {
            f"{number}.level_index": np.ones((rows, columns), dtype=np.uint8),
            f"{number}.gain": np.ones(rows, dtype=np.float32),
            f"{number}.offset": np.zeros(rows, dtype=np.float32),
        }
    found = []
    for save in (np.savez, np.savez_compressed):
        stream = io.BytesIO()
        save(stream, **arrays)  # type: ignore[arg-type]
        found.append(stream.getvalue())
    return found


@inputs(400, network_files())
def test_network_files(folder: Path, content: bytes) -> None:
    attempt(load_network, folder / "network.npz", content)


def data_files() -> list[bytes]:
    stream, labels = io.BytesIO(), np.array([0, 1, 1])
    images = np.zeros((3, 2, 2), dtype=np.float32)
    np.savez(stream, train_images=images, train_labels=labels, x_test=images, y_test=labels)
    return [stream.getvalue()]


@inputs(150, data_files())
def test_data_files(folder: Path, content: bytes) -> None:
    attempt(read_dataset, folder / "mine.npz", content)


def pictures() -> list[bytes]:
    found = []
    for kind, mode in (("png", "L"), ("bmp", "RGB"), ("jpeg", "RGB"), ("gif", "P")):
        stream = io.BytesIO()
        Image.new(mode, (5, 4)).save(stream, kind)
        found.append(stream.getvalue())
    return found


@inputs(150, pictures())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pictures(folder: Path, content: bytes) -> None:
    for name in ("train/a/1.png", "train/b/1.png", "test/b/1.png"):
        (folder / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "pets" / name).write_bytes(pictures()[0])
    attempt(lambda _: read_dataset(folder / "pets"), folder / "pets" / "train" / "a" / "1.png", content)


DEEP = {
    "aliases": b"a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n",
    "an alias of itself": b"a: &a [*a]\n",
    "brackets": b"a: " + b"[" * 100_000,
    "a long line": b"a: " + b"x" * 3_900_000,
    "too long a file": b"#" * 4_000_001,
    "a huge number": b"seed: " + b"9" * 100_000,
}


@pytest.mark.parametrize("name", DEEP)
def test_files_made_to_take_forever(tmp_path: Path, name: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(DEEP[name])
    with pytest.raises(DocumentError, match=r"config\.yaml"):
        load_model(path, Config)


@pytest.mark.parametrize("unit", ["m**9**9**9", "9**99999999", "m^9^9^9", "(9)**(99999999) m", "1e9999999 m"])
def test_units_made_to_take_forever(unit: str) -> None:
    with pytest.raises(ValueError, match="unknown unit"):
        parse_quantity(f"1 {unit}", "m")


def test_devices_without_an_end_are_cut_off(tmp_path: Path) -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("missing device: /dev/zero")
    with pytest.raises(DocumentError, match="longer than"):
        load_card("/dev/zero")
    (tmp_path / "config.yaml").write_text("device: {card: /dev/zero}\n")
    with pytest.raises(DocumentError, match="longer than"):
        load_setup(tmp_path / "config.yaml")


def test_a_network_file_may_hold_no_pickle(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
            return Path.touch, (tmp_path / "run",)

    np.savez(tmp_path / "network.npz", header=np.array([Trap()], dtype=object))
    with pytest.raises(ValueError, match=r"network\.npz: not a trained network"):
        load_network(tmp_path / "network.npz")
    assert not (tmp_path / "run").exists()
