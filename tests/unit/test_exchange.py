"""A card's pulse response as other simulators take it, against numbers worked out by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from compact_model.measured import extraction
from hallspice.fitting.ladder import exchange


def table(path: Path) -> list[dict[str, str]]:
    """Rows of a table, comments left out."""
    return list(csv.DictReader(line for line in path.read_text().splitlines() if not line.startswith("#")))


def test_steps_of_a_known_response(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three pulses to 0.5, 0.8 and 1 of the window; depression mirrors potentiation."""
    up, sigma = (0.0, 0.5, 0.8, 1.0), (0.0, 0.05, 0.06, 0.02)
    rows = [
        {"pulse": float(k), "state_up": s, "state_down": 1.0 - s, "sigma_cycle": spread}
        for k, (s, spread) in enumerate(zip(up, sigma, strict=True))
    ]
    monkeypatch.setattr(extraction, "pulse_response", lambda *_: rows)
    exchange(None, tmp_path, 3)
    steps = table(tmp_path / "aihwkit_steps.csv")

    def column(name: str) -> list[float]:
        return [float(row[name]) for row in steps]

    # w = 2 s - 1, so that a step of s counts twice
    assert column("w") == pytest.approx([-1.0, 0.0, 0.6], rel=1e-12)
    assert column("dw_up") == pytest.approx([1.0, 0.6, 0.4], rel=1e-12)
    # A fall from s is the rise from 1 - s: from 1 (no rise starts beyond 0.8: 0.2), from 0.5 (0.3), and from 0.2,
    # between the rises from 0 (0.5) and from 0.5 (0.3): 0.5 - 0.2 * 0.2/0.5 = 0.42
    assert column("dw_down") == pytest.approx([0.4, 0.6, 0.84], rel=1e-12)
    # spread after the pulse over its step: 0.05/0.5, 0.06/0.3, 0.02/0.2
    assert column("dw_std") == pytest.approx([0.1, 0.2, 0.1], rel=1e-12)


@pytest.mark.parametrize(("microseconds", "seconds"), [("200", 0.0002), ("50", 0.00005)])
def test_quantities_of_neurosim(tmp_path: Path, microseconds: str, seconds: float) -> None:
    card = tmp_path / "card.yaml"
    width = f"{{value: {microseconds}, unit: us, provenance: assumed, source: test}}"
    card.write_text(f"name: mine\ndescription: x\nbased_on: pt_ruo2_0p5\nsynapse: {{t_pulse: {width}}}\n")
    exchange(card, tmp_path, 7)
    found = {row["quantity"]: float(row["value"]) for row in table(tmp_path / "neurosim.csv")}
    assert found["writePulseWidth_s"] == pytest.approx(seconds, rel=1e-12)
    # lowest and highest of the published levels
    assert (found["r_min_ohm"], found["r_max_ohm"]) == (0.33, 0.57)
    assert (found["maxNumLevelLTP"], found["maxNumLevelLTD"]) == (7, 7)
    largest = max(float(row["sigma_cycle"]) for row in table(tmp_path / "pulse_response.csv"))
    assert found["sigmaCtoC"] == pytest.approx(largest, rel=1e-12)
