"""Languages that the device and its arrays are written in, and the forms of the device there."""

from __future__ import annotations

from enum import StrEnum


class Dialect(StrEnum):
    """Simulators whose subcircuit language can be written."""

    NGSPICE = "ngspice"
    XYCE = "xyce"
    LTSPICE = "ltspice"
    HSPICE = "hspice"


class ArrayDialect(StrEnum):
    """Language of an array's netlist."""

    NGSPICE = "ngspice"
    XYCE = "xyce"
    SPECTRE = "spectre"


class ExportForm(StrEnum):
    """What an export is for."""

    VERILOGA = "veriloga"
    SPICE = "spice"
    SPECTRE = "spectre"


class DeviceForm(StrEnum):
    """Form of the device in an array."""

    FROZEN = "frozen"
    SUBCKT = "subckt"
    OSDI = "osdi"


ARRAY_FORMS = {
    ArrayDialect.NGSPICE: (DeviceForm.FROZEN, DeviceForm.SUBCKT, DeviceForm.OSDI),
    ArrayDialect.XYCE: (DeviceForm.FROZEN, DeviceForm.SUBCKT),
    ArrayDialect.SPECTRE: (DeviceForm.OSDI,),
}
"""Forms of the device in each language of an array."""


def caveat(language: Dialect | ArrayDialect) -> str:
    """What a file says where it was not run in its simulator; empty for the one where it was."""
    if language == Dialect.NGSPICE:
        return ""
    return f"Written for {language.value} from its documentation; not run in it."
