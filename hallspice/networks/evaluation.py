"""`hallspice evaluate`: one network on many chips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
from torch import nn

from compact_model.cards.inputs import remembered
from compact_model.constants import REFERENCE_TEMPERATURE
from compact_model.hallbar import hall_bar
from compact_model.numeric import Floats
from compact_model.retention import retained_levels
from hallspice import results
from hallspice.config.demand import Demand
from hallspice.config.load import load_setup
from hallspice.config.setup import Setup
from hallspice.config.source import AnyConfig
from hallspice.files import staged_folder
from hallspice.networks import figures
from hallspice.networks.datasets import dataset_of
from hallspice.networks.kept import chip_of, level_set_of
from hallspice.networks.page import page_of, say
from hallspice.networks.results import TOGETHER, EffectByLayer, EffectOnChips, EvaluateResults
from hallspice.networks.subject import subject_of
from hallspice.page.csv_text import csv_text
from hallspice.programming.plan import writing
from hallspice.progress import SILENT, Reporter
from nn_mapping.accuracy import accuracy_of, digitally
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.placement import arrays_of, tiles_of
from nn_mapping.chips import ChipOptions, Chips, Variation, monte_carlo
from nn_mapping.examples import Examples
from nn_mapping.programmed import programmed_network

FILES = ("chips.csv", "report.html", "figures/*.svg")
"""Names of the files in the folder, beside the index."""


WRITTEN = "states as written by pulses"

_SEEDS = 1_000_000  # between the seeds of two chips: more than a network has tiles

MEANING = {
    "spread_of_window": "spread of the cells, share of the window",
    "spread_of_r": "spread of the cells, share of R",
    "mismatch": "mismatch of channels and arms",
    "r_off_spread": "spread of the misalignment resistance",
    "read_noise": "noise of every read, share of the window",
    "stuck_low": "cells stuck at the lowest level",
    "stuck_high": "cells stuck at the highest level",
    "drift": "common drift of R",
    "relaxation": "relaxation towards the middle",
    "warming": "warmer or colder than calibrated",
    "levels_after": "time since writing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Effect:
    """One thing that the configuration lets vary, and its size in words."""

    name: str
    size: str
    variation: Variation
    programmed: bool = False
    """Cells are written by simulated pulses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """A model on arrays, of which chips are drawn."""

    setup: Setup
    arrays: nn.Module
    examples: Examples
    progress: Reporter
    reached: dict[int, list[Floats]] = field(default_factory=dict)
    """What writing has reached on the chips, by number: Hall resistances of each tile [Ohm]."""

    def chips(self, name: str, effects: Sequence[_Effect], only: str | None = None) -> Chips:
        """Chips with all of the `effects` at once, in the layer `only` or in all; one as meant where there are none."""
        chosen = self.setup.config.variation
        options = ChipOptions(
            recalibrate=bool(effects) and chosen.recalibrate == "outputs",
            tcr=self.setup.card.transport.tcr_material.value,
        )
        return monte_carlo(
            self.arrays,
            self.examples,
            _together([effect.variation for effect in effects]),
            options,
            chips=chosen.chips if effects else 1,
            seed=self.setup.config.seed,
            only=only,
            reached=self._reached if any(effect.programmed for effect in effects) else None,
            progress=lambda done, total, message: self.progress(done, total, f"{name}: {message}"),
        )

    def _reached(self, chip: int) -> list[Floats]:
        """What writing reaches on a chip; the first one is that of `hallspice run`."""
        if chip not in self.reached:
            columns = self.setup.config.array.columns
            plan = writing(self.setup, hall_bar(self.setup.card), columns)
            seed = self.setup.config.seed + _SEEDS * chip
            found = programmed_network(tiles_of(self.arrays), plan, seed, self.progress)
            self.reached[chip] = [outcome.achieved for outcome in found.outcomes]
        return self.reached[chip]


@remembered()
def evaluate(
    config: AnyConfig,
    out: str | Path | None = None,
    *,
    network_file: Path | None = None,
    seed: int | None = None,
    data_dir: Path | None = None,
    progress: Reporter = SILENT,
) -> EvaluateResults:
    """Accuracy on many chips: each effect of the section ``variation`` alone, and all of them.

    Parameters
    ----------
    config
        YAML file, the same as a dict, or a `Config`.
    out
        Folder for report, tables and ``results.json``; None: nothing is written.
    network_file
        ``network.npz`` of an earlier training; None: what the configuration says.
    seed
        Replaces that of the configuration.
    data_dir
        Folder of the data set's files; None: where it is installed, or from the internet.
    progress
        Told how far it is, and what was found.

    Raises
    ------
    DocumentError
        With every mistake of the configuration: its line, or its key, and what is allowed.
    """
    setup = load_setup(config, seed, Demand.EVALUATE)
    dataset = dataset_of(setup, data_dir)
    effects = _effects(setup)
    with staged_folder(out, names=FILES) as folder:
        subject = subject_of(setup, dataset, progress, network_file, with_float=False)
        arrays, _ = convert(subject.model, chip_of(setup, subject.levels))
        bench = _Bench(setup=setup, arrays=arrays.eval(), examples=subject.examples, progress=progress)
        found = _results(bench, effects)
        lines = [
            [row.effect, row.size, number, accuracy]
            for row in found.rows
            for number, accuracy in enumerate(row.accuracies, start=1)
        ]
        written = results.write(
            folder,
            found,
            page=page_of(found, _figures(found, dataset.names)),
            tables={"chips.csv": csv_text(["effect", "size", "chip", "accuracy"], lines)},
        )
    if out is None:
        return found
    say(progress, found, Path(out))
    return written


def _results(bench: _Bench, effects: Sequence[_Effect]) -> EvaluateResults:
    config = bench.setup.config
    causes = [(effect.name, effect.size, [effect]) for effect in effects]
    if len(effects) > 1:
        causes.append((TOGETHER, "", list(effects)))
    meant = bench.chips("as meant", [])
    drawn = [bench.chips(name, members) for name, _, members in causes]
    by_layer = [
        [bench.chips(name, members, only=layer) for layer in arrays_of(bench.arrays)]
        for name, _, members in causes
        if config.variation.by_layer
    ]
    rows = [EffectOnChips.of("as meant", "", meant)]
    rows += [
        EffectOnChips.of(name, size, chips) for (name, size, _), chips in zip(causes, drawn, strict=True)
    ]
    last = drawn[-1] if drawn else meant
    with digitally(bench.arrays):
        digital = accuracy_of(bench.arrays, bench.examples)
    return EvaluateResults(
        config=config,
        seed=config.seed,
        digital=digital,
        images=len(bench.examples.labels),
        interval="Wilson, 95 %, of the mean accuracy over the test images",
        rows=tuple(rows),
        points_lost_by_layer=tuple(
            EffectByLayer(
                effect=row.effect,
                size=row.size,
                layers=tuple(100 * (meant.mean - chips.mean) for chips in layers),
                all=100 * (meant.mean - row.mean),
            )
            for row, layers in zip(rows[1:], by_layer, strict=False)
        ),
        confusion={
            rows[0].effect: meant.confusion.tolist(),
            rows[-1].effect: last.confusion.tolist(),
        },
    )


def _figures(found: EvaluateResults, classes: Sequence[str]) -> dict[str, str]:
    first, *others = (np.array(matrix) for matrix in found.confusion.values())
    drawn = {"chips": figures.chips(found.rows), "confusion_meant": figures.confusion(first, classes)}
    for matrix in others:
        drawn["confusion_last"] = figures.confusion(matrix, classes)
    return drawn


def _together(variations: Sequence[Variation]) -> Variation:
    """What each of them changes, at once."""
    return Variation(
        **{
            field.name: getattr(one, field.name)
            for one in variations
            for field in fields(Variation)
            if getattr(one, field.name) != field.default
        }
    )


def _effects(setup: Setup) -> list[_Effect]:
    """What the configuration lets vary, one by one."""
    chosen, cell = setup.config.variation, setup.config.array.cell
    shares = {name: getattr(chosen, name) for name in MEANING if hasattr(chosen, name)}
    shares["mismatch"] = cell.mismatch
    found = [
        _Effect(
            name=MEANING[name], size=f"{100 * shares[name]:g} %", variation=Variation(**{name: shares[name]})
        )
        for name in MEANING
        if shares.get(name)
    ]

    def add(field: str, size: str, variation: Variation) -> None:
        found.append(_Effect(name=MEANING[field], size=size, variation=variation))

    if setup.config.write.states == "programmed":
        how = setup.config.write.algorithm
        found.insert(0, _Effect(name=WRITTEN, size=how, variation=Variation(), programmed=True))
    if cell.r_off_spread:
        add("r_off_spread", f"{cell.r_off_spread:g} ohm", Variation(r_off_spread=cell.r_off_spread))
    if chosen.temperature != REFERENCE_TEMPERATURE:
        add(
            "warming",
            f"{chosen.temperature:g} K",
            Variation(warming=chosen.temperature - REFERENCE_TEMPERATURE),
        )
    if chosen.t_retention:
        after = retained_levels(setup.card, setup.levels_ohm, chosen.t_retention, chosen.temperature)
        kept = level_set_of(setup).levels_ohm  # binary weights use two of the levels
        size = f"{chosen.t_retention:.3g} s at {chosen.temperature:g} K"
        decayed = tuple(np.interp(kept, setup.levels_ohm, after).tolist())
        add("levels_after", size, Variation(levels_after=decayed))
    return found
