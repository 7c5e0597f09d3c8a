"""The wheel, installed where nothing of the checkout can be imported, does its work."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("compact_model", "veriloga", "circuits", "nn_mapping", "hallspice")

SMALL = """\
seed: 5
array: {rows: 40, columns: 30}
network: {layers: [784, 10], epochs: 1}
certificate: {tiles: 1, vectors: 1}
"""


def done(command: list[object], **settings: object) -> str:
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **settings)  # type: ignore[call-overload]
    assert run.returncode == 0, run.stdout + run.stderr
    return str(run.stdout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, as building leaves files behind."""
    if importlib.util.find_spec("build") is None or importlib.util.find_spec("setuptools") is None:
        pytest.skip("missing package: build, setuptools")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    done([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source])
    (found,) = folder.glob("*.whl")
    return found


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    there = {
        str(path.relative_to(ROOT))
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == there


def test_the_installed_wheel_runs_outside_of_the_checkout(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    done([sys.executable, "-m", "venv", "--without-pip", home])
    python = home / "bin" / "python"
    places = sysconfig.get_paths(vars={"base": str(home), "platbase": str(home)})
    # The dependencies of this environment; its own .pth files, and so the checkout, are not read.
    Path(places["purelib"], "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    done(
        [
            sys.executable,
            "-m",
            "pip",
            "--quiet",
            "--python",
            python,
            "install",
            "--no-deps",
            "--no-index",
            wheel,
        ]
    )
    (tmp_path / "small.yaml").write_text(SMALL)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    settings = {"cwd": tmp_path, "env": environment | {"HALLSPICE_CACHE": str(tmp_path / "cache")}}
    code = f"import {', '.join(PACKAGES)}; print(*({', '.join(f'{name}.__file__' for name in PACKAGES)},))"
    assert all(Path(file).is_relative_to(home) for file in done([python, "-c", code], **settings).split())
    hallspice = home / "bin" / "hallspice"
    answer = json.loads(
        done([hallspice, "run", "small.yaml", "--out", "out", "--quiet", "--json"], **settings)
    )
    assert answer["exit_code"] == 0
    assert answer["result"]["accuracy"]["circuit"] > 0.75  # as any layer of ten outputs that has learnt
    assert (tmp_path / "out" / "report.html").is_file()
    for arguments in (["init"], ["export", "veriloga", "--out", "va"]):
        done([hallspice, *arguments], **settings)
