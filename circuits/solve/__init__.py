"""Solvers of networks: nodal, on grids, and to first order in the Hall resistances."""
