"""How the device's model gets into a deck."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from circuits.spice.words import WORDS, Words
from compact_model.constants import REFERENCE_TEMPERATURE, ZERO_CELSIUS
from compact_model.numeric import Floats
from veriloga.dialects import ARRAY_FORMS, ArrayDialect, DeviceForm
from veriloga.model import MODULE
from veriloga.subcircuit import FROZEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """How the device gets into a deck.

    Attributes
    ----------
    form, dialect
        Form of the device; language of the deck.
    text
        Text of the subcircuit, for the deck itself; empty: it lies in a file of its own, beside the deck.
    card
        Name of the model card of the compiled module.
    ambient
        Temperature [K].

    Raises
    ------
    ValueError
        For a form that the language lacks.

    Examples
    --------
    >>> devices = Devices(form=DeviceForm.FROZEN, dialect=ArrayDialect.XYCE)
    >>> devices.load()
    ('.include sot_hallbar_frozen.sub',)
    >>> devices.element("3", ("a", "0", "p", "n"), {"s0": 1 / 3})
    'X3 a 0 p n sot_hallbar_frozen PARAMS: s0=0.333333333333333'
    """

    form: DeviceForm
    dialect: ArrayDialect = ArrayDialect.NGSPICE
    text: str = ""
    card: str = "hallbar"
    ambient: float = REFERENCE_TEMPERATURE

    def __post_init__(self) -> None:
        allowed = ARRAY_FORMS[self.dialect]
        if self.form not in allowed:
            what = f"device form {self.form.value} can't be written for {self.dialect.value}"
            raise ValueError(f"{what}, allowed: {', '.join(allowed)}")

    @property
    def words(self) -> Words:
        """Those of the language."""
        return WORDS[self.dialect]

    @property
    def compiled(self) -> bool:
        """It is the Verilog-A module."""
        return self.form is DeviceForm.OSDI

    @property
    def master(self) -> str:
        """What an instance names: subcircuit, module or model card."""
        if self.form is DeviceForm.FROZEN:
            return FROZEN
        return self.card if self.compiled and self.dialect is ArrayDialect.NGSPICE else MODULE

    def load(self, *commands: str) -> tuple[str, ...]:
        """Lines that bring the model in from its file; `commands` go to ngspice with them."""
        if self.dialect is ArrayDialect.SPECTRE:
            return ("simulator lang=spectre", f'ahdl_include "{MODULE}.va"')
        if self.compiled:
            return (".control", f"pre_osdi {MODULE}.osdi", *commands, ".endc")
        return () if self.text else (f".include {self.master}.sub",)

    def definition(self) -> tuple[str, ...]:
        """Lines that define what the instances name, where `load` has not done it."""
        if self.text:
            return ("", self.text)
        return (f".model {self.card} {MODULE}",) if self.master == self.card else ()

    def options(self, reltol: str, *further: str) -> str:
        """Line of options."""
        celsius = self.ambient - ZERO_CELSIUS
        return " ".join([self.words.options.format(celsius=celsius, reltol=reltol), *further])

    def element(self, name: str, nodes: tuple[str, ...], given: dict[str, float]) -> str:
        """Line of one device; `nodes` are ip, in, hp, hn, `given` its parameters."""
        numbers = " ".join(f"{key}={value:.15g}" for key, value in given.items())
        return self.words.instance(f"{'N' if self.compiled else 'X'}{name}", nodes, self.master, numbers)

    def switching(self, place: tuple[int, int], channel: tuple[str, str], state: Floats) -> str:
        """Line of the device of a cell in a write deck, which starts with the state (K,) of its grains.

        Its Hall contacts get nodes of their own, `arms`; long lines are continued.
        """
        name = "{}_{}".format(*place)
        given = {f"s0_{k}": min(max(value, 0.0), 1.0) for k, value in enumerate(state.tolist(), start=1)}
        line = self.element(name, (*channel, *self.arms(place)), given)
        return "\n+ ".join(textwrap.wrap(line, 100, break_long_words=False, break_on_hyphens=False))

    def arms(self, place: tuple[int, int]) -> tuple[str, str]:
        """Nodes of the Hall contacts of a cell in a write deck."""
        row, column = place
        return f"hp{row}_{column}", f"hn{row}_{column}"

    def state_vector(self, place: tuple[int, int], grain: int) -> str:
        """Name of the vector with the deviation of a grain, numbered from 1, of a cell in a write deck."""
        row, column = place
        return f"n{row}_{column}#d{grain}" if self.compiled else f"x{row}_{column}.d{grain}"

    def fraction_vector(self, place: tuple[int, int]) -> str:
        """Vector that tells the switched fraction of a cell: m_z = 1 - 2 s of the module, s of the subcircuit."""
        row, column = place
        return f"@n{row}_{column}[mz]" if self.compiled else f"v(x{row}_{column}.f)"
