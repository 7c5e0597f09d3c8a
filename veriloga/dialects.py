"""Languages that the device is written in, and its forms there."""

from __future__ import annotations

from enum import StrEnum


class Dialect(StrEnum):
    """Simulators whose subcircuit language can be written."""

    NGSPICE = "ngspice"
    XYCE = "xyce"
    LTSPICE = "ltspice"
    HSPICE = "hspice"


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


class ArrayDialect(StrEnum):
    """Language of an array's netlist."""

    NGSPICE = "ngspice"
    XYCE = "xyce"
    SPECTRE = "spectre"
