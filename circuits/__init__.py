"""Crossbar networks, their nodal solution, and the same networks in ngspice."""
