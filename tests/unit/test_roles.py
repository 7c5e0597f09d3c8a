"""Parts are found by their role: a network whose blocks have other names is the same network."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.network import Network, Role
from circuits.read.noise import output_noise
from circuits.solve.nodal import factor
from circuits.spice.netlist import netlist

STATES = np.array([[0.33, 0.46, 0.57], [0.52, 0.49, 0.33]])


def array(architecture: Architecture) -> Network:
    states = STATES * (1.0 if architecture.hall else 1e5)
    return crossbar(states, ArrayConfig(architecture=architecture, c_row=1e-15, c_arm=2e-15))


def renamed(network: Network) -> Network:
    """Other names; the first letter stays, it is SPICE's."""
    blocks = [replace(b, prefix=f"{b.prefix[0]}q{k}x") for k, b in enumerate(network.branch_blocks)]
    return replace(network, branch_blocks=tuple(blocks))


@pytest.mark.parametrize("architecture", Architecture)
def test_energy_noise_and_netlist_do_not_depend_on_names(architecture: Architecture) -> None:
    ours, other = array(architecture), renamed(array(architecture))
    assert set(ours.branch_names).isdisjoint(other.branch_names)
    a, b = factor(ours), factor(other)
    for role, form in a.power_forms().items():
        np.testing.assert_array_equal(form, b.power_forms()[role])
    inputs = np.full((1, 2), 0.1)
    quiet, loud = (output_noise(one, inputs, flicker=1e-12) for one in (a, b))
    assert (quiet.amplifier > 0).all() == architecture.amplified
    np.testing.assert_array_equal(quiet.amplifier, loud.amplifier)
    np.testing.assert_array_equal(quiet.white(), loud.white())
    np.testing.assert_array_equal(quiet.flicker, loud.flicker)
    text = netlist(other, inputs[0], "a read")
    for name, new in zip(ours.branch_names, other.branch_names, strict=True):
        text = text.replace(f"{new} ", f"{name} ")
    assert text.replace("i_Rq", "i_R").count("\n") == netlist(ours, inputs[0], "a read").count("\n")


def test_the_parts_of_an_array_have_their_roles() -> None:
    """2 x 3 cells: two halves of the channel, two arms, two controlled sources each."""
    expected = {
        Role.CELL: 36,
        Role.SWITCH: 0,
        Role.WIRE: 18 + 12 + 12,
        Role.DRIVER: 8,
        Role.AMPLIFIER: 18,
        Role.SENSE: 3,
    }
    network = array(Architecture.ACTIVE_PARALLEL)
    assert {role: int(network.of_role(role).sum()) for role in Role} == expected
    network = array(Architecture.ROW_MULTIPLEXED)
    assert int(network.of_role(Role.SWITCH).sum()) == 12
    assert int(network.of_role(Role.CELL).sum()) == 36


def test_power_of_switches_is_not_that_of_cells() -> None:
    network = array(Architecture.ROW_MULTIPLEXED)
    power = factor(network).solve([[1e-3, 0.0]]).power
    # 1 mA through three channels of 500 ohm, the far end of the row at ground
    assert power[Role.CELL][0] == pytest.approx(3 * 500 * 1e-6, rel=1e-5)
    # the middles of the channels lie at 1.25, 0.75, 0.25 V: two open switches of 1e10 ohm each to the row at rest
    assert power[Role.SWITCH][0] == pytest.approx(2 * (1.25**2 + 0.75**2 + 0.25**2) / 1e10, rel=1e-3)


def test_no_source_looks_at_the_name_of_a_block() -> None:
    """Names are for people and simulators; `prefix` is read where they are made."""
    root = Path(__file__).parents[2]
    named = re.compile(
        r"(?<!sys)\.prefix\b|branch_names.*(startswith|removeprefix|\[0\] ==)|name\.startswith\(\"[A-Z]"
    )
    sources = [
        p for package in ("circuits", "nn_mapping", "hallspice") for p in (root / package).rglob("*.py")
    ]
    assert [path.name for path in sources if named.search(path.read_text())] == ["network.py"]
