"""Keys of a configuration that say nothing: its architecture, another key or the command has no use for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from circuits.arrays.architecture import Architecture
from circuits.write.scheme import BiasScheme, schemes
from compact_model.cards.document import KeyPath, dotted
from hallspice.config.schema import Array, Config, Series
from hallspice.config.section import Section


@dataclass(frozen=True, slots=True)
class _Use:
    """Where a key acts."""

    acts: Callable[[Array], bool]
    verify: bool = False
    """Also in the verify reads of writing, which measure a Hall resistance in every architecture."""


def _of_columns(array: Array) -> bool:
    """Hall pairs are joined by the wires of a column, not by ideal amplifiers."""
    return array.architecture is not Architecture.SERIES_HALL or array.series.isolation == "none"


def _returned(array: Array) -> bool:
    """Write pulses return through a switch, not into the other rail of a driver."""
    return array.architecture.crossed or BiasScheme.ROW_SERIAL in schemes(array.architecture)


_HALL = _Use(lambda array: array.architecture.hall)
_HALL_OR_VERIFIED = _Use(lambda array: array.architecture.hall, verify=True)
_NOISY = _Use(lambda array: array.architecture.hall and _of_columns(array), verify=True)
_CROSSED = _Use(lambda array: array.architecture.crossed)

USES: Mapping[KeyPath, _Use] = {
    ("array", "wire", "r_column"): _Use(_of_columns),
    ("array", "sense", "r_input"): _Use(lambda array: array.architecture.output_unit == "A"),
    ("array", "sense", "r_load"): _Use(
        lambda array: array.architecture.output_unit == "V" and _of_columns(array)
    ),
    ("array", "amplifier", "gm"): _NOISY,
    ("array", "amplifier", "noise_gamma"): _NOISY,
    ("array", "amplifier", "i_bias"): _HALL,
    ("array", "amplifier", "v_supply"): _HALL,
    ("array", "amplifier", "cmrr_db"): _Use(lambda array: array.architecture.amplified),
    ("array", "switch"): _Use(lambda array: array.architecture.in_turns),
    ("array", "series"): _Use(lambda array: array.architecture is Architecture.SERIES_HALL),
    ("array", "cell", "r_arm"): _HALL_OR_VERIFIED,
    ("array", "cell", "c_arm"): _HALL,
    ("array", "cell", "mismatch"): _HALL,
    ("array", "cell", "r_off_spread"): _HALL,
    ("array", "cell", "r_low"): _CROSSED,
    ("array", "cell", "r_high"): _CROSSED,
    ("array", "cell", "conductances"): _CROSSED,
    ("array", "read", "i_read"): _HALL_OR_VERIFIED,
    ("array", "read", "v_read"): _CROSSED,
    ("write", "r_return"): _Use(_returned),
}
"""Keys that don't act everywhere (a section stands for all of its keys)."""


@dataclass(frozen=True, slots=True)
class _Switch:
    """Another key that a key needs."""

    by: KeyPath
    on: Callable[[Any], bool]
    """Whether the key acts with a value of the other one."""


_VERIFY = _Switch(("write", "algorithm"), lambda algorithm: algorithm == "verify")
_SELECTED = _Switch(("write", "scheme"), lambda scheme: scheme in (None, "one_transistor", "row_serial"))
_CERTIFIED = _Switch(("certificate", "tiles"), bool)
_IN_SITU = _Switch(("network", "in_situ", "updates"), bool)

SWITCHES: Mapping[KeyPath, _Switch] = {
    ("array", "converters", "dac_ladder"): _Switch(("array", "converters", "dac_mismatch"), bool),
    ("array", "converters", "adc_ladder"): _Switch(("array", "converters", "adc_mismatch"), bool),
    ("network", "in_situ", "steps"): _IN_SITU,
    ("network", "in_situ", "pulse_share"): _Switch(
        ("network", "in_situ", "updates"), lambda updates: "identical" in updates
    ),
    ("network", "in_situ", "learning_rate"): _IN_SITU,
    ("network", "in_situ", "device_spread"): _IN_SITU,
    ("network", "in_situ", "cycle_noise"): _IN_SITU,
    ("certificate", "vectors"): _CERTIFIED,
    ("certificate", "tolerance"): _CERTIFIED,
    ("certificate", "longest"): _CERTIFIED,
    ("write", "step_law"): _VERIFY,
    ("write", "i_step"): _VERIFY,
    ("write", "start"): _VERIFY,
    ("write", "max_pulses"): _VERIFY,
    ("write", "retries"): _VERIFY,
    ("write", "r_select_on"): _SELECTED,
    ("write", "r_select_off"): _SELECTED,
}
"""Keys that another key can leave without effect."""


def unused(config: Config) -> Iterator[tuple[KeyPath, KeyPath, str]]:
    """Keys that are not at their default although they have no effect, the key that decides it, and why."""
    written = "write" in config.model_fields_set
    for path, use in USES.items():
        if use.acts(config.array) or (use.verify and written):
            continue
        by, why = _why(config.array, use)
        for key in _given(config, path):
            yield key, by, why
    for path, switch in SWITCHES.items():
        value = reduce(getattr, map(str, switch.by), config)
        if not switch.on(value):
            for key in _given(config, path):
                yield key, switch.by, f"has no effect with {dotted(switch.by)}: {value}; leave it out"


def undrawn(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Keys of the section `variation` that are not at their default, and who reads them."""
    for key in _given(config, ("variation",)):
        yield key, "no chips are drawn here, `hallspice evaluate` draws them; leave it out"


def trained_here(config: Config) -> Iterator[KeyPath]:
    """Keys that are not at their default and say what a built-in network is, and how it is trained."""
    about = {"dataset", "inputs", "module", "weights", "scheme", "r_reference"}  # a network of one's own, too
    for name in type(config.network).model_fields:
        if name not in about:
            yield from _given(config, ("network", name))


def _why(array: Array, use: _Use) -> tuple[KeyPath, str]:
    if use.acts(array.model_copy(update={"series": Series()})):
        return ("array", "series", "isolation"), "has no effect with series.isolation: ideal; leave it out"
    by = ("array", "architecture")
    users = ", ".join(one for one in Architecture if use.acts(Array(architecture=one)))
    found = f"has no effect in {array.architecture}, only in {users}"
    if use.verify:
        found += ", and in verify reads: leave it out, or say how the array is written in a section write"
        return by, found
    return by, f"{found}; leave it out"


def _given(config: Config, path: KeyPath) -> Iterator[KeyPath]:
    """Keys at or below `path` whose value is not the default."""
    section: Section = config
    for part in path[:-1]:
        section = getattr(section, str(part))
    value = getattr(section, str(path[-1]))
    if isinstance(value, Section):
        for name in type(value).model_fields:
            yield from _given(config, (*path, name))
    elif value != type(section).model_fields[str(path[-1])].default:
        yield path
