"""Converters against their levels by hand, drawn again number by number."""

import numpy as np
import pytest

from circuits.read.converter import (
    Converter,
    ElementWeighting,
    RowDacs,
    draw_converter,
    draw_row_dacs,
)

UNARY, BINARY = ElementWeighting.UNARY, ElementWeighting.BINARY


def test_thresholds_of_a_string_are_its_partial_sums_less_half_a_step() -> None:
    drawn = draw_converter(3, 0.1, np.random.default_rng(5), UNARY)
    elements = [1 + 0.1 * z for z in np.random.default_rng(5).standard_normal(8).tolist()]
    expected = [sum(elements[: code + 1]) / sum(elements) - 1 / 16 for code in range(7)]
    np.testing.assert_allclose(drawn.thresholds, expected, rtol=1e-12)


def test_thresholds_of_a_binary_ladder_add_up_the_capacitors_of_a_code() -> None:
    """Capacitors of 1, 2 and 4 units and one to terminate; n units scatter by sqrt(n)."""
    drawn = draw_converter(3, 0.1, np.random.default_rng(6), BINARY)
    random = np.random.default_rng(6)
    one, two, four = (n + 0.1 * n**0.5 * z for n, z in zip((1, 2, 4), random.standard_normal(3), strict=True))
    end = 1 + 0.1 * random.standard_normal()
    sums = np.array([one, two, one + two, four, four + one, four + two, four + two + one])
    expected = sums / (one + two + four + end) - 1 / 16
    np.testing.assert_allclose(drawn.thresholds, expected, rtol=1e-12)


def test_levels_of_row_dacs_by_ladder() -> None:
    string = draw_row_dacs(2, 2, 0.1, np.random.default_rng(7), UNARY).levels
    elements = 1 + 0.1 * np.random.default_rng(7).standard_normal((2, 3))
    for row, (a, b, c) in zip(string, elements.tolist(), strict=True):
        np.testing.assert_allclose(row, np.array([0, a, a + b, a + b + c]) / (a + b + c), rtol=1e-12)
    binary = draw_row_dacs(2, 2, 0.1, np.random.default_rng(8), BINARY).levels
    scatter = 0.1 * np.random.default_rng(8).standard_normal((2, 2))
    for row, (a, b) in zip(binary, scatter.tolist(), strict=True):
        one, two = 1 + a, 2 + b * 2**0.5
        np.testing.assert_allclose(row, np.array([0, one, two, one + two]) / (one + two), rtol=1e-12)


def test_codes_begin_at_their_thresholds_in_whatever_order_these_come() -> None:
    converter = Converter(np.array([0.5, 0.25, 0.9]))
    assert converter.bits == 2
    assert converter.convert(np.array([-1.0, 0.2, 0.25, 0.4, 0.5, 0.89, 0.9, 3.0])).tolist() == [
        0, 0, 1, 1, 2, 2, 3, 3
    ]  # fmt: skip


def test_nonlinearity_by_hand() -> None:
    """Thresholds 0.1, 0.3, 0.9: the line has 0.5 in the middle and a step of 0.4."""
    converter = Converter(np.array([0.1, 0.3, 0.9]))
    np.testing.assert_allclose(converter.integral_nonlinearity(), [0.0, -0.5, 0.0], atol=1e-12)
    np.testing.assert_allclose(converter.differential_nonlinearity(), [-0.5, 0.5], atol=1e-12)
    # two rows of four levels, with steps of 1/3 and of 0.2 on their lines
    dacs = RowDacs(np.array([[0.0, 0.5, 0.6, 1.0], [0.1, 0.2, 0.5, 0.7]]))
    np.testing.assert_allclose(
        dacs.integral_nonlinearity(), [[0.0, 0.5, -0.2, 0.0], [0.0, -0.5, 0.0, 0.0]], atol=1e-12
    )
    np.testing.assert_allclose(
        dacs.differential_nonlinearity(), [[0.5, -0.7, 0.2], [-0.5, 0.5, 0.0]], atol=1e-12
    )


def test_a_converter_of_one_bit_or_two_thresholds_is_straight() -> None:
    single = draw_converter(1, 0.1, np.random.default_rng(0), UNARY)
    assert single.bits == 1
    assert single.integral_nonlinearity().tolist() == [0.0]
    assert single.differential_nonlinearity().tolist() == []
    assert Converter(np.array([0.2, 0.7])).integral_nonlinearity().tolist() == [0.0, 0.0]


def test_row_dacs_take_the_level_of_the_nearest_code_of_their_row() -> None:
    dacs = RowDacs(np.array([[0.0, 0.5, 0.6, 1.0], [0.1, 0.2, 0.5, 0.7]]))
    # shares of three steps: 0.49 is code 1, 0.51 code 2
    found = dacs.convert(np.array([[0.49, 0.51], [-2.0, 2.0], [1.0, 0.0], [0.2, 0.2]]))
    assert found.tolist() == [[0.5, 0.5], [0.0, 0.7], [1.0, 0.1], [0.5, 0.2]]


@pytest.mark.parametrize(("bits", "right"), [(0, False), (1, True), (16, True), (17, False)])
def test_resolutions(bits: int, right: bool) -> None:
    for ladder in ElementWeighting:
        if right:
            assert draw_converter(bits, 0.0, np.random.default_rng(0), UNARY).bits == bits
            assert draw_row_dacs(1, bits, 0.0, np.random.default_rng(0), ladder).levels.shape == (1, 2**bits)
        else:
            with pytest.raises(ValueError, match=f"bits = {bits}, allowed: 1 to 16"):
                draw_converter(bits, 0.0, np.random.default_rng(0), ladder)
            with pytest.raises(ValueError, match=f"bits = {bits}"):
                draw_row_dacs(1, bits, 0.0, np.random.default_rng(0), ladder)


@pytest.mark.parametrize(
    ("mismatch", "right"), [(-0.01, False), (0.0, True), (0.199, True), (0.2, False), (0.3, False)]
)
def test_mismatch_that_is_allowed(mismatch: float, right: bool) -> None:
    if right:
        draw_converter(2, mismatch, np.random.default_rng(0), UNARY)
        return
    with pytest.raises(ValueError, match=r"mismatch = .*, allowed: 0 <= value < 0\.2"):
        draw_converter(2, mismatch, np.random.default_rng(0), UNARY)
