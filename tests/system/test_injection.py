"""Names and paths in a user's files stay what they are: no line of a netlist, no tag of a page, no way out of `out`."""

import ast
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from compact_model.cards.device import DeviceCard, load_card
from compact_model.cards.document import DocumentError
from hallspice.cli.application import app
from hallspice.commands import PACKAGES
from hallspice.files import OutputError, TakenError, staged_folder
from hallspice.fitting import figures
from hallspice.page.page import Answer, Column, Detail, Page, Section, Table

ROOT = Path(__file__).parents[2]
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
SHELL = "x; touch pwned #`touch pwned`$(touch pwned)|touch pwned"


def hallspice(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def card_named(folder: Path, name: str) -> Path:
    path = folder / "card.yaml"
    described = {"name": name, "description": SCRIPT, "based_on": "pt_ruo2_0p5"}
    path.write_text(json.dumps(described))  # JSON is YAML
    return path


@pytest.mark.parametrize("end", ["\n", "\r", "\x0b", "\x85", "\u2028", "\x00", "\x1b[2J"])
def test_a_name_is_one_line(tmp_path: Path, end: str) -> None:
    with pytest.raises(DocumentError, match=r"card\.yaml:1:\d+ name: .* allowed: one line of printable text"):
        load_card(card_named(tmp_path, f"mine{end}.control{end}shell touch pwned{end}.endc"))


def test_names_of_cards_stay_comments_in_every_netlist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f'.include /etc/passwd */ module x; /* " .end ../../name {SHELL}'
    monkeypatch.chdir(tmp_path)
    plain = {path: lines_that_act(text) for path, text in netlists(tmp_path / "plain", "mine").items()}
    named = {path: lines_that_act(text) for path, text in netlists(tmp_path / "named", name).items()}
    assert named == plain
    assert not (tmp_path / "pwned").exists()


def netlists(folder: Path, name: str) -> dict[str, str]:
    """Netlists and models with a card of that name."""
    folder.mkdir()
    card_named(folder, name)
    (folder / "array.yaml").write_text("device: {card: card.yaml}\narray: {rows: 2, columns: 2}\n")
    calls = [
        ["netlist", folder / "array.yaml", "--out", folder / "read.cir"],
        ["netlist", folder / "array.yaml", "--device", "frozen", "--out", folder / "frozen.cir"],
        [
            "netlist",
            folder / "array.yaml",
            "--device",
            "osdi",
            "--dialect",
            "spectre",
            "--out",
            folder / "x.scs",
        ],
        ["export", "veriloga", "--card", folder / "card.yaml", "--out", folder / "va"],
    ]
    for arguments in calls:
        result = hallspice(*arguments)
        assert result.exit_code == 0, result.output
    suffixes = (".cir", ".scs", ".va", ".sub", ".lib", ".sim")
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in suffixes]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def lines_that_act(text: str) -> list[str]:
    """Lines of a netlist or a model that are no comment."""
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("*", "//"))]


def test_pages_escape_what_they_are_given() -> None:
    text = f'{SCRIPT}" onload="alert(3)'
    page = Page(
        title=text,
        question=text,
        subtitle=text,
        answers=[Answer(text, text, text)],
        sentences=[text],
        warnings=[text],
        sections=[
            Section(
                text, text=[text], tables=[Table([Column(text)], [[text]])], details=[Detail(text, code=text)]
            )
        ],
        figures={},
    )
    html = page.html()
    assert "&lt;script&gt;alert(1)" in html
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert '" onload=' not in html


def test_names_of_devices_are_no_formulae_in_figures() -> None:
    """An opened $ would end a fit with an error of matplotlib after its work."""
    assert "$" not in re.sub(r"\\\$", "", figures.plain("a $\\frac{ b"))


@pytest.mark.parametrize(
    ("link", "name", "error", "what"),
    [
        ("figures", "precious.svg", TakenError, "is not of an earlier result"),
        ("figures", "another.svg", OutputError, "leads out of"),
        ("results.json", "another.svg", TakenError, "is not of an earlier result"),
    ],
)
def test_links_in_the_output_folder_lead_nowhere(
    tmp_path: Path, link: str, name: str, error: type[ValueError], what: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious.svg").write_text("precious")
    out = tmp_path / "out"
    out.mkdir()
    (out / link).symlink_to(outside if link == "figures" else outside / "precious.svg")

    with pytest.raises(error, match=what), staged_folder(out, names=[f"figures/{name}"]) as stage:
        (stage / "figures").mkdir()
        (stage / "figures" / name).write_text("new")
        (stage / "results.json").write_text("{}")
    assert [path.read_text() for path in outside.iterdir()] == ["precious"]
    assert not list(out.glob(".hallspice-partial-*"))


def test_earlier_results_name_no_files_outside_for_removal(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("precious")
    out = tmp_path / "out"
    out.mkdir()
    (out / "link").symlink_to(outside)
    names = [
        "../outside/precious",
        str(outside / "precious"),
        "link/precious",
        "link/../../outside/precious",
        ".",
        "",
    ]
    (out / "results.json").write_text(json.dumps({"files": names}))
    with staged_folder(out, names=[]) as stage:
        (stage / "results.json").write_text("{}")
    assert (outside / "precious").read_text() == "precious"


def test_tables_of_a_fit_are_named_by_path_and_nothing_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    columns = {"current": {"column": "i", "unit": "mA"}, "hall": {"column": SHELL, "unit": "ohm"}}
    for file in (f"| touch pwned; {SHELL}", "$(touch pwned)", "`touch pwned`.csv"):
        described = {"name": SCRIPT, "data": [{"file": file, "kind": "train", "columns": columns}]}
        (tmp_path / "data.yaml").write_text(json.dumps(described))
        result = hallspice("fit", "data.yaml", "--out", "card.yaml")
        assert result.exit_code == 2
        assert "no such file" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.yaml"]


def test_no_shell_no_pickle_no_eval_in_the_packages() -> None:
    """Calls that would run what a file says; `torch.load` takes tensors and numbers only."""
    found = []
    for package in (*PACKAGES, "hallspice"):
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                name = ast.unparse(node.func)
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                wrong = (
                    name
                    in ("eval", "exec", "os.system", "os.popen", "pickle.load", "pickle.loads", "yaml.load")
                    or (name.startswith("subprocess.") and given.get("shell", "False") != "False")
                    or (name == "np.load" and given.get("allow_pickle") != "False")
                    or (name == "torch.load" and given.get("weights_only") != "True")
                )
                if wrong:
                    found.append(f"{file.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    assert not found


def test_a_shipped_card_is_left_as_it_is() -> None:
    """Cards are kept after the first reading; nobody can change the one that all share."""
    card = load_card()
    assert isinstance(card, DeviceCard)
    with pytest.raises(ValueError, match="frozen"):
        card.name = "other"  # type: ignore[misc]
    assert load_card().name == "pt_ruo2_0p5"
