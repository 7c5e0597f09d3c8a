"""What a command demands of a configuration."""

from __future__ import annotations

from enum import Flag, auto


class Demand(Flag):
    """What of a configuration must fit, for a command to take it; below, what each command demands."""

    NETWORK = auto()
    """The network fits the data set and the tile."""
    FULL_INPUT = auto()
    """A full input leaves the device as it is."""
    SUPPLY = auto()
    """The supply carries a full input."""
    ONE_ARCHITECTURE = auto()
    """Keys that only other architectures use are left out."""
    ONE_CHIP = auto()
    """No chips are drawn: the section `variation` says nothing."""

    RUN = NETWORK | FULL_INPUT | SUPPLY | ONE_ARCHITECTURE | ONE_CHIP
    """`run`, `sweep`."""
    EVALUATE = NETWORK | FULL_INPUT | SUPPLY | ONE_ARCHITECTURE
    """`evaluate`, `train`."""
    ARRAY = FULL_INPUT | SUPPLY | ONE_ARCHITECTURE
    """`netlist`: an array alone."""
    WRITE = FULL_INPUT | ONE_ARCHITECTURE
    """`write`: its verify reads take the drivers of writing, one cell at a time."""
    READ = ONE_ARCHITECTURE
    """`read`: the user brings the inputs."""
    COMPARE = FULL_INPUT
    """`compare`: every architecture, with inputs as large as the supply allows."""
