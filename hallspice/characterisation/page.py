"""The page of a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.table import Table as TerminalTable

from compact_model import curves, readout, scaling, stack, synapse
from compact_model.cards.device import DeviceCard
from compact_model.published.facts import Status
from hallspice.characterisation.results import DeviceResults, Score
from hallspice.page import style
from hallspice.page.page import Answer, Caption, Column, Detail, Page, Section, Table
from hallspice.page.provenance import origins, origins_table
from hallspice.progress import Reporter


def page_of(card: DeviceCard, found: DeviceResults, drawn: Mapping[str, str]) -> Page:
    """The page of a card beside the published facts."""
    return Page(
        title=f"device {card.name}",
        question="Does the compact model agree with the published device?",
        subtitle=f"{card.description}. Card {card.name}, hallspice {found.versions['hallspice']}, "
        f"{found.created}.",
        answers=_answers(card, found),
        sentences=[
            "Each line of the scoreboard is one statement of the paper, the model's number for it, and what agreement "
            "is worth: 'input' was put in, 'fit constraint' was fitted, 'chosen' rests on assumed anchors or rules, "
            "'result' follows from the rest. Sets A and B are parameter sets of the switching law: A holds the heating "
            "of a 200 us pulse in its scale, B computes it."
        ],
        warnings=found.warnings,
        sections=[
            *_behaviour(card),
            _scaling(card),
            _scoreboard(found.scoreboard),
            Section(
                "Where the numbers come from",
                details=[
                    Detail(f"Card {card.name}", table=origins_table(list(origins(card)))),
                ],
            ),
        ],
        figures=drawn,
    )


def _answers(card: DeviceCard, found: DeviceResults) -> list[Answer]:
    counts = found.counts
    passed = counts.get(Status.PASS.value, 0)
    others = ", ".join(f"{count} {name}" for name, count in counts.items() if name != Status.PASS.value)
    step = float(np.diff(synapse.paper_levels(card)).min())
    return [
        Answer(
            "facts met",
            f"{passed} of {len(found.scoreboard)}",
            f"others: {others}" if others else "lines of the scoreboard",
        ),
        Answer("six states", f"{1e3 * _state_error(card):.1f} mΩ", "largest difference from the paper"),
        Answer(
            "all levels written",
            style.engineering(synapse.ladder_energy(card), "J"),
            "the paper states 87.5 µJ",
        ),
        Answer(
            "read disturb begins",
            style.engineering(found.disturb_onset_a, "A"),
            f"pulses of {style.engineering(card.synapse.t_pulse.value, 's')}",
        ),
        Answer(
            "smallest step at 1 mA",
            style.engineering(1e-3 * step, "V"),
            f"six sigma up to {style.engineering(float(readout.step_bandwidth(card, 1e-3, step)), 'Hz')}",
        ),
    ]


def _behaviour(card: DeviceCard) -> list[Section]:
    """What the device does, by figures."""
    return [
        Section(
            "Switching",
            figures=[
                Caption(
                    "loops",
                    "Hall resistance against pulse current under applied fields; closed second cycles.",
                    wide=True,
                ),
                Caption(
                    "fraction",
                    "Fraction switched by one write pulse without field, from the reset state.",
                ),
                Caption("pulse_width", "Density that switches half. Grey: outside of what data support."),
                Caption(
                    "heat",
                    "Channel temperature through a write pulse and after it, by the thermal network.",
                ),
            ],
        ),
        Section(
            "Synapse",
            figures=[
                Caption("levels", "Levels after the reset and each pulse of the ladder."),
                Caption("ladder", "Ladder up and down, twice: exact memory closes, the rate law creeps."),
                Caption(
                    "creep",
                    f"Equal pulses of {1e3 * curves.sweep_current(card):.4g} mA: only the logarithm of n counts.",
                ),
                Caption(
                    "spread",
                    "Spread of the fraction at 2.41e11 A/m2, by the number of independent regions.",
                ),
            ],
        ),
        Section(
            "Polarity test",
            text=["Loops without field after each preparation, in the published order."],
            figures=[
                Caption(
                    "protocol",
                    "Magnetisation against pulse current; the colour is the sense of the loop.",
                    wide=True,
                )
            ],
        ),
        Section(
            "Thickness",
            text=[
                "Measured are 0, 0.5 and 0.7 nm (and signs elsewhere); the rest is interpolated between assumed "
                "anchors that a CSV of your own can replace."
            ],
            figures=[Caption("thickness", "Orange squares: arXiv:2601.16222.", wide=True)],
        ),
    ]


def _state_error(card: DeviceCard) -> float:
    return float(np.abs(synapse.model_levels(card) - synapse.paper_levels(card)).max())


def _scoreboard(board: Sequence[Score]) -> Section:
    names = ("#", "paper", "model quantity", "set", "model", "tolerance", "outcome", "standing", "note")
    rows = [
        [
            str(line.number),
            line.paper,
            line.quantity,
            line.set,
            line.model,
            line.tolerance,
            line.status,
            line.standing,
            line.note,
        ]
        for line in board
    ]
    return Section("Scoreboard", tables=[Table([Column(name) for name in names], rows)])


def _scaling(card: DeviceCard) -> Section:
    rows = [
        [
            style.engineering(one.w_channel, "m"),
            style.engineering(one.t_pulse, "s"),
            f"{1e-11 * one.density:.2f}",
            style.engineering(one.current, "A"),
            style.engineering(one.voltage, "V"),
            style.engineering(one.energy, "J"),
            f"{one.temperature_rise:.0f}",
            str(one.regions),
            style.engineering(one.read_step, "V"),
            style.engineering(one.read_time, "s"),
        ]
        for one in scaling.scaling_table(card)
    ]
    heads = (
        "width",
        "pulse",
        "density (1e11 A/m²)",
        "current",
        "voltage",
        "energy",
        "heating (K)",
        "regions",
        "read step",
        "6 sigma read",
    )
    resistance = float(stack.channel_resistance(card))
    return Section(
        "Scaling",
        text=[
            f"Same stack, length over width and resistance ({resistance:.4g} ohm); pulses that switch 68 %. The energy "
            "falls with the square of the width; the number of regions, and with it the number of levels, falls too."
        ],
        tables=[Table([Column(head, True) for head in heads], rows)],
        figures=[Caption("scaling", "Energy of one pulse that switches 68 %.")],
    )


def say(progress: Reporter, found: DeviceResults, out: Path) -> None:
    """Say the scoreboard in the terminal."""
    table = TerminalTable(title=f"Card {found.card} beside the published facts", title_justify="left")
    for name in ("#", "paper", "model", "set", "tolerance", "outcome"):
        table.add_column(name)
    for line in found.scoreboard:
        table.add_row(
            str(line.number),
            line.paper,
            line.model,
            line.set,
            line.tolerance,
            line.status,
        )
    progress.say(table)
    counts = ", ".join(f"{number} {name}" for name, number in found.counts.items())
    progress.say(f"{len(found.scoreboard)} lines: {counts}")
    progress.say(f"Report: {out / 'report.html'}")
