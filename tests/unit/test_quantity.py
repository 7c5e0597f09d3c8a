import math
from typing import Annotated

import pytest
from pydantic import BaseModel, ValidationError

from circuits.periphery import PeripheryCard
from compact_model.cards.device import DeviceCard
from compact_model.cards.entry import Spec
from compact_model.cards.quantity import Quantity, parse_number, parse_quantity


@pytest.mark.parametrize(
    ("written", "unit", "value"),
    [
        ("13.2 mA", "A", 0.0132),
        ("200 us", "s", 2e-4),
        ("5 um", "m", 5e-6),
        ("90 uohm cm", "ohm m", 9e-7),
        ("85 degC", "K", 358.15),
        ("0.365 erg/cm2", "J/m^2", 3.65e-4),
        ("100 Oe", "A/m", 1e5 / (4 * math.pi)),
        ("2.35 kOe", "Oe", 2350.0),
        ("2.41e11 A/m2", "A/m^2", 2.41e11),
        ("5 %", "1", 0.05),
        ("1e3", "1", 1000.0),
        (7, "ohm", 7.0),
    ],
)
def test_written_quantities_become_numbers_of_the_unit(written: object, unit: str, value: float) -> None:
    assert parse_quantity(written, unit) == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize(
    "wrong",
    [
        "13.2 mV",
        "5 parsnips",
        "mA 5",
        "",
        "9**9**9 A",
        True,
        None,
        [1],
        math.nan,
        math.inf,
        "1e999 A",
        "1_0",
        "1_0 A",
        "\u0663",
        "\u0663 A",
    ],
)
def test_everything_else_is_refused_with_the_value_named(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"expected|convertible|unit"):
        parse_quantity(wrong, "A")


@pytest.mark.parametrize("text", ["10", "+1.", "-.5", "1e-3", "1.5E+03", "nan", "-INF", "infinity"])
def test_numbers_without_a_unit(text: str) -> None:
    assert parse_number(text) == pytest.approx(float(text), nan_ok=True)


@pytest.mark.parametrize(
    "text",
    ["1_0", "\u0663", "\uff11", "1e\u0663", "1 0", " 1", "1,0", "0x1", "1e", "", "e1", "\u0130nf", "\u212a"],
)
def test_what_python_alone_takes_for_a_number_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no number|could not convert"):
        parse_number(text)


class Pulse(BaseModel):
    current: Annotated[float, Quantity("A", "pulse current", above=0.0, high=0.02)] = 1e-3


@pytest.mark.parametrize("number", [1e-300, -5e-324, 0.99e-30, 1.01e36, -1e300])
def test_magnitudes_that_computers_lose_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match=r"V (can't be told from zero|is out of range)"):
        Quantity("V", "a voltage").read(number)


@pytest.mark.parametrize("number", [0.0, -1e-30, 1e-30, 1e36, -1e36])
def test_magnitudes_up_to_the_limits_are_taken(number: float) -> None:
    assert Quantity("V", "a voltage").read(number) == number


def card_quantities(card: type[BaseModel]) -> dict[str, Spec]:
    """Entries of a card by section and name."""
    found = {}
    for section, field in card.model_fields.items():
        kind = field.annotation
        for name, entry in getattr(kind, "model_fields", {}).items():
            spec = next((item for item in entry.metadata if isinstance(item, Spec)), None)
            if spec is not None:
                found[f"{section}.{name}"] = spec
    return found


def test_no_number_of_a_card_may_be_lost_to_rounding() -> None:
    for card, least in ((DeviceCard, 40), (PeripheryCard, 25)):
        found = card_quantities(card)
        assert len(found) > least
        for name, spec in found.items():
            with pytest.raises(ValueError, match=r"told from zero|out of range"):
                spec.read(1e-300)
            if spec.unit == "s":
                with pytest.raises(ValueError, match="out of range"):
                    spec.read(0.99e-15)
            if spec.unit == "ohm" and (card is PeripheryCard or name == "hall.r_arm"):
                with pytest.raises(ValueError, match=r"told from zero|out of range"):
                    spec.read(0.99e-6)


def test_a_field_states_unit_and_range_when_it_refuses() -> None:
    with pytest.raises(ValidationError, match=r"0\.03 A is out of range, allowed: 0 < value <= 0\.02 A"):
        Pulse.model_validate({"current": "30 mA"})
    assert "pulse current [A]" in str(Pulse.model_json_schema())
