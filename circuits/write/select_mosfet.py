"""The select transistor of a write cell: its card, and its lines in a deck."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from circuits.network import Network, Role
from compact_model.cards.document import load_overlaid
from compact_model.cards.entry import Entry, Name, Spec
from compact_model.numeric import Mask

SHIPPED = "select_mosfet"
"""Name of the card in the package."""


class SelectMosfet(BaseModel):
    """Parameters of the transistor, level 1 of SPICE (Shichman and Hodges, doi:10.1109/JSSC.1968.1049902)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    description: str
    based_on: str | None = None
    w: Annotated[Entry, Spec("m", "gate width", above=0.0, high=1.0)]
    l: Annotated[Entry, Spec("m", "gate length", above=0.0, high=1e-3)]  # noqa: E741 - SPICE's name
    vto: Annotated[Entry, Spec("V", "threshold", low=-10.0, high=10.0)]
    kp: Annotated[Entry, Spec("A/V^2", "mobility times oxide capacitance", above=0.0, high=1.0)]
    gamma: Annotated[Entry, Spec("V^0.5", "body effect", low=0.0, high=10.0)]
    phi: Annotated[Entry, Spec("V", "surface potential", above=0.0, high=2.0)]
    lambda_: Annotated[Entry, Spec("1/V", "channel length modulation", low=0.0, high=1.0)] = Field(
        alias="lambda"
    )
    v_on: Annotated[Entry, Spec("V", "gate voltage of a selected cell", low=0.0, high=200.0)]
    v_well: Annotated[Entry, Spec("V", "well, and gate of an unselected cell", low=-200.0, high=0.0)]

    def lines(self, network: Network, selected: Mask) -> Iterator[str]:
        """Transistors in place of the select resistors of a write network."""
        names = (*network.node_names, "0")
        yield "* select transistors; gates of selected and of other cells, and the well [V]"
        yield f"Vgon gate_on 0 {self.v_on.value:.15g}"
        yield f"Vgoff gate_off 0 {self.v_well.value:.15g}"
        yield f"Vwell well 0 {self.v_well.value:.15g}"
        switches = np.flatnonzero(network.of_role(Role.SWITCH)).tolist()
        for (row, column), k in zip(np.ndindex(selected.shape), switches, strict=True):
            gate = "gate_on" if selected[row, column] else "gate_off"
            ends = f"{names[network.plus[k]]} {gate} {names[network.minus[k]]} well"
            yield f"M{row}_{column} {ends} select w={self.w.value:.15g} l={self.l.value:.15g}"
        values = {
            "vto": self.vto, "kp": self.kp, "gamma": self.gamma, "phi": self.phi, "lambda": self.lambda_,
        }  # fmt: skip
        given = " ".join(f"{name}={entry.value:.15g}" for name, entry in values.items())
        yield f".model select nmos level=1 {given}"


def load_select_mosfet(path: str | Path | None = None) -> SelectMosfet:
    """Read a card; None means the shipped one.

    Examples
    --------
    >>> load_select_mosfet().v_on.value
    15.0
    """
    with resources.as_file(resources.files("circuits") / "cards" / f"{SHIPPED}.yaml") as shipped:
        return load_overlaid(path, shipped, SelectMosfet)
