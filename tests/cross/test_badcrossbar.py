"""Agreement with badcrossbar (doi:10.1016/j.softx.2020.100617), where it is installed."""

import logging
import warnings
from typing import Any

import numpy as np
import pytest

from circuits.arrays.config import ArrayConfig
from circuits.solve.transfer import Method, transfers


def badcrossbar() -> Any:
    """The package; its warning that it can't draw without cairo, which it forces through all filters, is kept in."""
    with warnings.catch_warnings(record=True) as said:
        package = pytest.importorskip("badcrossbar")
    assert all("badcrossbar.plot" in str(warning.message) for warning in said)
    logging.getLogger("badcrossbar").setLevel(logging.ERROR)
    return package


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (16, 16), (20, 7)])
@pytest.mark.parametrize("method", [None, Method.NODAL, Method.HIERARCHICAL_MERGE])
def test_resistive_tiles_agree_with_badcrossbar(shape: tuple[int, int], method: Method | None) -> None:
    package = badcrossbar()
    random = np.random.default_rng(0)
    states, voltages = random.uniform(1e3, 1e5, shape), random.uniform(0, 1, (4, shape[0]))
    # its word lines start at ideal sources and its bit lines end at ground
    config = ArrayConfig(architecture="resistive", r_row=2.0, r_column=0.7, r_output=0.0, r_input=1e-9)
    ours = voltages @ transfers(states, config, method=method).matrices[0].T
    theirs = package.compute(
        voltages.T, states, r_i_word_line=2.0, r_i_bit_line=0.7, node_voltages=False, all_currents=False
    )
    np.testing.assert_allclose(ours, theirs.currents.output, rtol=1e-9)
