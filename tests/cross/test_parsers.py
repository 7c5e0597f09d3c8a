"""The module in a second Verilog-A parser."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest

from compact_model.cards.device import load_card
from veriloga.model import cell_model
from veriloga.verilog_a import verilog_a_text


@pytest.mark.skipif(shutil.which("admsXml") is None, reason="no program admsXml (apt-get install adms)")
@pytest.mark.parametrize("kind", ["A", "B"])
def test_adms_reads_the_module(tmp_path: Path, kind: str) -> None:
    model = cell_model(load_card().with_choices(switching=kind), largest_error=0.02)
    source, script = tmp_path / "cell.va", tmp_path / "count.xml"
    source.write_text(verilog_a_text(model, date(2026, 1, 2)))
    # adms does nothing without a script; this one names what it found.
    script.write_text(
        '<?xml version="1.0"?><!DOCTYPE admst SYSTEM "admst.dtd">\n'
        '<admst version="2.3.7" xmlns:admst="http://mot-adms.sourceforge.net/xml-files/admst">\n'
        '<admst:for-each select="/module"><admst:text format="module %(name) "/>\n'
        '<admst:for-each select="node"><admst:text format="node "/></admst:for-each></admst:for-each></admst>\n'
    )
    run = subprocess.run(
        ["admsXml", source.name, "-e", script.name], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    said = run.stdout + run.stderr
    assert run.returncode == 0, said
    assert not re.search(r"\[(error|fatal|warning)", said, re.IGNORECASE), said
    assert "module sot_hallbar" in said, said
