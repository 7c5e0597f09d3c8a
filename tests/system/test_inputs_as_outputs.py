"""No command writes over what it reads, or over a file that an earlier result does not list."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hallspice.cli.application import app

ROOT = Path(__file__).parents[2]
LADDER = ROOT / "examples" / "data" / "synthetic_ladder"
PAPER = ROOT / "examples" / "data" / "paper"

SMALL = """\
seed: 5
array: {rows: 4, columns: 3, periphery: periphery.yaml}
device: {card: card.yaml}
network: {layers: [784, 10], epochs: 1}
certificate: {tiles: 0}
compare: {draws: 2, vectors: 20}
"""
CARD = "name: mine\nbased_on: pt_ruo2_0p5\n"
PERIPHERY = "name: ours\nbased_on: periphery_default\n"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file of every kind that commands read."""
    texts = {
        "config.yaml": SMALL,
        "card.yaml": CARD,
        "periphery.yaml": PERIPHERY,
        "levels.csv": "0.33,0.5,0.46\n",
        "states.csv": "0.33,0.5,0.46\n0.57,0.5,0.46\n0.33,0.5,0.46\n0.33,0.5,0.46\n",
        "inputs.csv": "0.5,0.25,0.1,0.2\n",
        "pulses.csv": "i_a,t_pulse_s\n13.2 mA,200 us\n",
        "comparison.csv": "mine\n",
        "achieved.csv": "mine\n",
        "loops.csv": "mine\n",
        "training.csv": "mine\n",
        "chips.csv": "mine\n",
        "data.yaml": "mine\n",
        "README.md": "mine\n",
        "results.csv": "mine\n",
        "neurosim.csv": "mine\n",
        "certificate.html": "mine\n",
        "fit/residuals.csv": "mine\n",
    }
    (tmp_path / "fit").mkdir()
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    shutil.copytree(LADDER, tmp_path / "ladder")
    shutil.copytree(PAPER, tmp_path / "paper")
    monkeypatch.setenv("HALLSPICE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "cache" not in path.relative_to(folder).parts
    }


def hallspice(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("pulse card.yaml pulses.csv --out pulses.csv", "pulses.csv"),
        ("pulse card.yaml pulses.csv --out card.yaml", "card.yaml"),
        ("pulse card.yaml pulses.csv --out link.csv", "link.csv"),
        ("fit paper/paper.yaml --out paper/paper.yaml --report new", "paper.yaml"),
        ("fit paper/paper.yaml --out paper/TABLE --report new", "TABLE"),
        ("fit paper/paper.yaml --out new.yaml --report fit", "fit/residuals.csv"),
        ("levels ladder/data.yaml --out ladder", "ladder.csv"),
        ("levels ladder/data.yaml --out .", "levels.csv"),
        ("measure card.yaml --protocol loops --out .", "loops.csv"),
        ("exchange card.yaml --out .", "levels.csv"),
        ("device --card card.yaml --out .", "levels.csv"),
        ("netlist config.yaml --out config.yaml", "config.yaml"),
        ("netlist config.yaml --out periphery.yaml", "periphery.yaml"),
        ("netlist config.yaml --device subckt --operation write --out card.yaml", "card.yaml"),
        ("read config.yaml --states states.csv --inputs inputs.csv --out inputs.csv", "inputs.csv"),
        ("compare config.yaml --out .", "comparison.csv"),
        ("compare config.yaml --out only", "only/config.yaml"),
        ("write config.yaml --levels levels.csv --out .", "achieved.csv"),
        ("run config.yaml --out .", "levels.csv"),
        ("train config.yaml --out .", "training.csv"),
        ("evaluate config.yaml --out .", "chips.csv"),
        ("sweep config.yaml --set array.converters.adc_bits=4,6 --out .", "results.csv"),
        ("export spice --out .", "README.md"),
        ("verify --quick --out .", "certificate.html"),
        ("init config.yaml", "config.yaml"),
    ],
)
def test_nothing_of_the_user_is_replaced(desk: Path, arguments: str, named: str) -> None:
    table = next(path.name for path in (desk / "paper").glob("*.csv"))
    arguments, named = arguments.replace("TABLE", table), named.replace("TABLE", table)
    (desk / "link.csv").symlink_to("pulses.csv")
    (desk / "only").mkdir()
    (desk / "only" / "config.yaml").write_text("mine\n")
    before = _content(desk)
    words = arguments.split()
    if words[0] == "device":
        words = ["device", "card.yaml", *words[3:]]
    if words[0] not in (
        "pulse",
        "levels",
        "measure",
        "exchange",
        "netlist",
        "export",
        "init",
        "read",
        "verify",
    ):
        words.append("--quiet")
    result = hallspice(*words)
    assert result.exit_code == 2, result.output
    assert Path(named).name in result.stderr
    assert _content(desk) == before
    assert (desk / "link.csv").readlink() == Path("pulses.csv")


def test_the_same_command_may_be_repeated(desk: Path) -> None:
    for command in ("exchange card.yaml --out tables", "measure card.yaml --protocol loops --out data"):
        for _ in range(2):
            assert hallspice(*command.split()).exit_code == 0
    (desk / "tables" / "mine.csv").write_text("mine\n")
    assert hallspice("exchange", "card.yaml", "--out", "tables").exit_code == 0
    assert (desk / "tables" / "mine.csv").exists()
    (desk / "data" / "results.json").unlink()
    result = hallspice("measure", "card.yaml", "--protocol", "loops", "--out", "data")
    assert result.exit_code == 2
    assert "is not of an earlier result" in result.stderr
