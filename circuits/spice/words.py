"""How each language says an element, a remark and an option: all that differs between netlists of arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from circuits.network import BranchKind
from veriloga.dialects import ArrayDialect


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What one language says differently.

    Attributes
    ----------
    remark
        Begins a comment.
    nodes
        Nodes of an element.
    kinds
        What stands between nodes and value of an element, by its kind.
    parameters
        What stands before the parameters of an instance.
    options
        Line that sets the temperature [degC] and the relative tolerance of an analysis.
    """

    remark: str
    nodes: str
    kinds: Mapping[BranchKind, str]
    parameters: str
    options: str

    def element(self, name: str, kind: BranchKind, nodes: Sequence[str], value: str) -> str:
        """Line of an element; `nodes` are plus, minus and, for a controlled source, control plus and minus."""
        return f"{name} {self.nodes.format(' '.join(nodes))} {self.kinds[kind]}{value}"

    def instance(self, name: str, nodes: Sequence[str], master: str, given: str) -> str:
        """Line of an instance of a model or subcircuit, with its parameters."""
        return f"{name} {self.nodes.format(' '.join(nodes))} {master} {self.parameters}{given}"

    def header(self, title: str, *notes: str) -> Iterator[str]:
        """First lines of a file, as remarks; empty notes are left out."""
        written = "Written by hallspice. This file is yours: no licence is claimed on it."
        yield from (f"{self.remark} {line}" for line in (" ".join(title.split()), written, *notes) if line)


_PLAIN = dict.fromkeys(BranchKind, "")

WORDS = {
    ArrayDialect.NGSPICE: Words(
        remark="*", nodes="{}", kinds=_PLAIN, parameters="", options=".options temp={celsius:.15g} reltol={reltol}"
    ),
    ArrayDialect.XYCE: Words(
        remark="*", nodes="{}", kinds=_PLAIN, parameters="PARAMS: ", options=".options device temp={celsius:.15g}"
    ),
    ArrayDialect.SPECTRE: Words(
        remark="//",
        nodes="({})",
        kinds={
            BranchKind.RESISTOR: "resistor r=",
            BranchKind.CAPACITOR: "capacitor c=",
            BranchKind.VOLTAGE: "vsource dc=",
            BranchKind.CURRENT: "isource dc=",
            BranchKind.VCCS: "vccs gm=",
        },
        parameters="",
        options="options options temp={celsius:.15g} reltol={reltol}",
    ),
}  # fmt: skip
