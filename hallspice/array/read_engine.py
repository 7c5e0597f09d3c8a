"""Who solves the network of an array that is read; quick to import."""

from enum import StrEnum


class ReadEngine(StrEnum):
    """Who solves the network."""

    NODAL = "nodal"
    """Every tile in full."""
    TRANSFER = "transfer"
    """As `hallspice run` does: first order in the Hall resistance, or a solver for regular resistive grids."""
    NGSPICE = "ngspice"
