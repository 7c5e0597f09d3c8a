"""Commands that are killed at any moment: nothing finished is lost, nothing foreign is touched, the next run ends well.

`make fuzz` kills 200 times.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

MANY = int(os.environ.get("HALLSPICE_FUZZ", "1")) > 1
"""Whether every command is killed, 200 times in all; otherwise some of them, once."""

SMALL = """\
seed: {seed}
array: {{rows: 40, columns: 30}}
network: {{layers: [784, 10], epochs: 1}}
certificate: {{tiles: 0}}
"""
SWEEP = "sweep: {set: {array.converters.adc_bits: [4, 6]}}\n"
VARIATION = "variation: {chips: 2, read_noise: 1 %}\n"
PAPER = Path(__file__).parents[2] / "examples" / "data" / "paper" / "paper.yaml"

COMMANDS = {
    "run": ["run", "small.yaml", "--out", "out"],
    "train": ["train", "small.yaml", "--out", "out"],
    "evaluate": ["evaluate", "chips.yaml", "--out", "out"],
    "sweep": ["sweep", "sweep.yaml", "--out", "out", "--workers", "1"],
    "write": ["write", "small.yaml", "--levels", "levels.csv", "--out", "out"],
    "fit": ["fit", str(PAPER), "--out", "out/card.yaml", "--report", "out/report"],
}
KILLED = list(COMMANDS) if MANY else ["run", "sweep", "fit"]
MINE = ("small.yaml", "chips.yaml", "sweep.yaml", "levels.csv", "out/notes.txt", "out/mine.csv")


class Desk:
    """A folder with configurations, files of the user in the output folder, a cache, and a temporary folder."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        (folder / "out").mkdir(parents=True)
        (folder / "tmp").mkdir()
        small = SMALL.format(seed=seed)
        content = (small, small + VARIATION, small + SWEEP, "0.33,0.5,0.46\n0.57,0.49,0.33\n", "mine", "1,2")
        for name, text in zip(MINE, content, strict=True):
            (folder / name).write_text(text)
        self.mine = {name: (folder / name).read_bytes() for name in MINE}

    def start(self, arguments: list[str]) -> subprocess.Popen[str]:
        places = {"HALLSPICE_CACHE": str(self.folder / "cache"), "TMPDIR": str(self.folder / "tmp")}
        return subprocess.Popen(
            [sys.executable, "-c", "from hallspice.cli import main; main()", *arguments, "--quiet"],
            cwd=self.folder,
            env=os.environ | places,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def check(self) -> None:
        """The user's files are as they were, and what an index lists is there."""
        assert {name: (self.folder / name).read_bytes() for name in MINE} == self.mine
        for index in self.folder.glob("out/**/results.json"):
            if not any(part.startswith(".") for part in index.relative_to(self.folder).parts):
                listed = json.loads(index.read_text())["files"]
                assert all((index.parent / name).is_file() for name in listed), index

    def left_over(self) -> list[str]:
        """What killed processes left in the output and the temporary folder."""
        found = [*self.folder.glob("out/**/.*"), *(self.folder / "tmp").glob("hallspice-*")]
        return [str(path) for path in found if path.name != ".lock"]  # that of a sweep stays


@pytest.mark.slow
@pytest.mark.parametrize("name", KILLED)
def test_a_killed_command_loses_nothing(name: str, tmp_path: Path) -> None:
    seed = int(time.time()) if MANY else 1
    random_of = random.Random(f"{name} {seed}")
    desk = Desk(tmp_path / "desk", seed % 10_000)
    begun = time.monotonic()
    whole = desk.start(COMMANDS[name])
    said, _ = whole.communicate(timeout=300)
    assert whole.returncode == 0, said
    length = time.monotonic() - begun
    desk.check()
    for _ in range(200 // len(COMMANDS) + 1 if MANY else 1):
        for kept in (tmp_path / "desk" / "cache").rglob("*.npz"):  # train again, now and then
            if random_of.random() < 0.5:
                kept.unlink()
        process = desk.start(COMMANDS[name])
        time.sleep(random_of.uniform(0.3, 1.1) * length)
        sent = random_of.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
        if sent == signal.SIGKILL:
            os.killpg(process.pid, sent)  # workers too, as the system does when memory is short
        else:
            process.send_signal(sent)
        said, _ = process.communicate(timeout=60)
        assert process.returncode in (0, 130, 143, -signal.SIGINT, -signal.SIGTERM, -sent), said
        assert "Traceback" not in said or process.returncode < 0, said
        desk.check()
    last = desk.start(COMMANDS[name])
    said, _ = last.communicate(timeout=300)
    assert last.returncode == 0, said
    desk.check()
    assert desk.left_over() == []
