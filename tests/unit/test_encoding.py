from functools import partial

import numpy as np
import pytest

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar, ideal_transfer
from circuits.network import Role
from circuits.periphery import load_periphery
from circuits.read.calibration import calibration_cost, subtract_reference
from circuits.read.converter import ElementWeighting, draw_converter, draw_row_dacs
from circuits.read.encoding import Encoding, EncodingCost, encode, encoding_cost
from circuits.read.read_error import read_error
from circuits.solve.nodal import factor

near = partial(pytest.approx, rel=1e-6, abs=0.0)  # the default tolerance of 1e-12 is more than these numbers

BITS = 4


@pytest.mark.parametrize("encoding", Encoding)
def test_every_encoding_gives_the_same_product(encoding: Encoding) -> None:
    random = np.random.default_rng(0)
    codes = random.integers(0, 2**BITS, (6, 5))
    config = ArrayConfig(architecture=Architecture.ACTIVE_PARALLEL)
    transfer = factor(crossbar(random.uniform(0.33, 0.57, (5, 3)), config)).transfer()
    phases = encode(codes, BITS, encoding)
    product = np.einsum("p,pbr,cr->bc", phases.weights, phases.levels, transfer)
    np.testing.assert_allclose(product, codes / 15 @ transfer.T, rtol=1e-12)
    assert set(np.unique(phases.levels)) <= (
        {0.0, 1.0} if encoding is not Encoding.AMPLITUDE else set(codes.ravel() / 15)
    )


def test_energy_and_time_of_the_encodings() -> None:
    codes = np.arange(2**BITS)[:, None]
    power = {Role.CELL: np.array([[1e-3]])}

    def cost(encoding: Encoding) -> tuple[float, float, float, int]:
        found = encoding_cost(
            encoding, BITS, codes, power, 1, load_periphery(), t_slot=1e-6, amplifiers=0, adc_bits=6
        )
        return found.energy.array, found.time, found.noise, found.reads

    amplitude, count, serial = map(cost, (Encoding.AMPLITUDE, Encoding.PULSE_COUNT, Encoding.BIT_SERIAL))
    shares = codes / 15
    assert amplitude[0] == near(1e-9 * np.mean(shares**2))
    assert count[0] == near(1e-9 * np.mean(codes))  # as many full pulses as the code says
    assert serial[0] == near(1e-9 * BITS / 2)  # half of all bits are set
    assert (amplitude[3], count[3], serial[3]) == (1, 15, 4)
    assert amplitude[1] < serial[1] < count[1]
    assert count[2] == near(1 / np.sqrt(15))  # the mean of 15 reads
    assert serial[2] == near(np.sqrt(1 + 4 + 16 + 64) / 15)


@pytest.mark.parametrize("encoding", Encoding)
def test_rows_in_turns_repeat_all_but_the_conversion_of_their_inputs(encoding: Encoding) -> None:
    codes = np.arange(2**BITS)[:, None] * [1, 1, 1]

    def cost(turns: int) -> EncodingCost:
        return encoding_cost(
            encoding,
            BITS,
            codes,
            {Role.WIRE: np.eye(3) * 1e-3},
            2,
            load_periphery(),
            t_slot=1e-6,
            amplifiers=2,
            adc_bits=6,
            turns=turns,
        )

    once, three = cost(1), cost(3)
    assert (three.reads, three.noise) == (3 * once.reads, once.noise)
    assert three.time == near(3 * once.time)
    assert three.energy.dac == once.energy.dac
    for part in ("array", "wires", "amplifiers", "adc"):
        assert getattr(three.energy, part) == near(3 * getattr(once.energy, part))
    conversions = BITS if encoding is Encoding.BIT_SERIAL else 1
    add = load_periphery().digital.add_32bit.value
    assert three.energy.digital == near(2 * (3 * conversions - 1) * add)


def test_a_bit_serial_product_by_hand() -> None:
    """Two rows of 3-bit codes, five columns: three reads, three conversions a column, two additions."""
    codes = np.array([[5, 2]])  # bits of the rows, lowest first: 1 0 1 and 0 1 0
    power = {Role.CELL: np.array([[2e-3, 5e-4], [5e-4, 4e-3]]), Role.DRIVER: np.diag([1e-4, 3e-4])}
    found = encoding_cost(
        Encoding.BIT_SERIAL, 3, codes, power, 5, load_periphery(), t_slot=2e-6, amplifiers=7, adc_bits=6
    )
    assert found.energy.cells == near((2e-3 + 4e-3 + 2e-3) * 2e-6)
    assert found.energy.drivers == near((1e-4 + 3e-4 + 1e-4) * 2e-6)
    assert found.energy.array == near(8.5e-3 * 2e-6)
    assert found.energy.amplifiers == near(7 * 100e-6 * 1.8 * 3 * 2e-6)
    assert found.energy.dac == near(2 * 3 * 0.39e-12)
    assert found.energy.adc == near(5 * 3 * 0.42e-12)
    assert found.energy.digital == near(5 * 2 * 0.1e-12)
    # three reads, and three times five columns at one converter, 10 ns each
    assert found.time == near(3 * 2e-6 + 3 * 5 * 10e-9)


def test_wrong_codes_are_named() -> None:
    with pytest.raises(ValueError, match="0 <= code <= 15"):
        encode(np.array([[16]]), BITS, Encoding.AMPLITUDE)
    with pytest.raises(ValueError, match="bits = 17"):
        encode(np.array([[1]]), 17, Encoding.AMPLITUDE)


@pytest.mark.parametrize("ladder", ElementWeighting)
def test_an_ideal_converter_is_a_staircase(ladder: ElementWeighting) -> None:
    ideal = draw_converter(6, 0.0, np.random.default_rng(0), ladder)
    assert ideal.bits == 6
    assert np.abs(ideal.integral_nonlinearity()).max() < 1e-12
    np.testing.assert_array_equal(ideal.convert(np.arange(64) / 64), np.arange(64))


def test_nonlinearity_of_strings_and_of_binary_ladders_from_mismatch() -> None:
    drawn = {
        ladder: [draw_converter(6, 0.01, np.random.default_rng(k), ladder) for k in range(400)]
        for ladder in ElementWeighting
    }
    unary, binary = drawn[ElementWeighting.UNARY], drawn[ElementWeighting.BINARY]
    steps = np.array([converter.differential_nonlinearity() for converter in unary])
    assert steps.std() == near(0.01, rel=0.05)  # of an element, but for the line through the ends
    middle = np.array([converter.integral_nonlinearity()[31] for converter in unary])
    assert middle.std() == near(0.01 * np.sqrt(64) / 2, rel=0.12)  # a bridge; 400 draws give 3.5 %
    # in a binary ladder all elements change at mid-scale
    major = np.array([converter.differential_nonlinearity()[30] for converter in binary])
    assert major.std() == near(0.01 * np.sqrt(63), rel=0.12)


def test_reads_of_a_calibration_and_what_is_wrong() -> None:
    assert calibration_cost(0.001, 0.01, 1e-5, 1e-7).reads == 2
    assert calibration_cost(0.3, 0.01, 1e-5, 1e-7).reads == 1800
    with pytest.raises(ValueError, match="added_error = 0"):
        calibration_cost(0.1, 0, 1e-5, 1e-7)


def test_a_reference_in_the_array_removes_what_all_columns_share() -> None:
    random = np.random.default_rng(1)
    states = random.uniform(0.33, 0.57, (16, 18))
    states[:, -2:] = 0.33, 0.57
    config = ArrayConfig(architecture=Architecture.ACTIVE_PARALLEL, r_row=0.05)
    transfer = factor(crossbar(states, config)).transfer()
    ideal = ideal_transfer(states, config)
    centre = ideal_transfer(np.full((16, 18), 0.45), config)
    inputs = random.uniform(0, 0.5, (100, 16))
    raw = read_error(transfer[:-2], ideal[:-2], centre[:-2], inputs)
    zero = np.zeros((16, 16))
    referred = read_error(subtract_reference(transfer), subtract_reference(ideal), zero, inputs)
    assert referred.raw < raw.raw / 2
    with pytest.raises(ValueError, match="references = 18"):
        subtract_reference(transfer, 18)


def test_dacs_without_mismatch_round_and_with_it_keep_their_ends() -> None:
    random = np.random.default_rng(0)
    shares = random.uniform(-0.2, 1.2, (50, 3))
    for ladder in ElementWeighting:
        ideal = draw_row_dacs(3, 5, 0.0, random, ladder)
        np.testing.assert_allclose(
            ideal.convert(shares), np.round(np.clip(shares, 0, 1) * 31) / 31, atol=1e-15
        )
        drawn = draw_row_dacs(2000, 5, 0.05, random, ladder)
        assert (drawn.levels[:, 0] == 0).all()
        assert (drawn.levels[:, -1] == 1).all()
        assert np.ptp(drawn.levels[:, 16]) > 0.01


def test_nonlinearity_of_dacs_from_mismatch() -> None:
    """A string of 31 fixed at its ends is a bridge; the binary major step exchanges 16 units for 15."""
    random = np.random.default_rng(0)
    unary, binary = (draw_row_dacs(4000, 5, 0.02, random, ladder) for ladder in ElementWeighting)
    middle = unary.integral_nonlinearity()[:, 15]
    assert middle.std() == near(0.02 * np.sqrt(15 * 16 / 31), rel=0.05)
    major = binary.differential_nonlinearity()[:, 15]
    assert major.std() == near(0.02 * np.sqrt(31), rel=0.05)


def test_reads_of_three_codes_by_hand() -> None:
    """Codes 2, 0 and 3 of 2 bit for one row, and 1, 3, 2 for the other."""
    codes = np.array([[2, 1], [0, 3], [3, 2]])
    whole = encode(codes, 2, Encoding.AMPLITUDE)
    np.testing.assert_allclose(whole.levels, [[[2 / 3, 1 / 3], [0, 1], [1, 2 / 3]]], rtol=1e-15)
    assert whole.weights.tolist() == [1.0]
    pulses = encode(codes, 2, Encoding.PULSE_COUNT)
    assert pulses.levels.tolist() == [
        [[1, 1], [0, 1], [1, 1]], [[1, 0], [0, 1], [1, 1]], [[0, 0], [0, 1], [1, 0]]
    ]  # fmt: skip
    np.testing.assert_allclose(pulses.weights, [1 / 3] * 3, rtol=1e-15)
    bits = encode(codes, 2, Encoding.BIT_SERIAL)
    assert bits.levels.tolist() == [[[0, 1], [0, 1], [1, 0]], [[1, 0], [0, 1], [1, 1]]]
    np.testing.assert_allclose(bits.weights, [1 / 3, 2 / 3], rtol=1e-15)


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize(("bits", "right"), [(0, False), (1, True), (16, True), (17, False)])
def test_resolutions_of_inputs(encoding: Encoding, bits: int, right: bool) -> None:
    codes = np.array([[0, 1]])
    if right:
        phases = encode(codes, bits, encoding)
        product = np.einsum("p,pbr->br", phases.weights, phases.levels)
        np.testing.assert_allclose(product, codes / (2**bits - 1), rtol=1e-12)
    else:
        with pytest.raises(ValueError, match=f"bits = {bits}, allowed: 1 to 16"):
            encode(codes, bits, encoding)


@pytest.mark.parametrize("codes", [[[-1, 0]], [[0, 4]], [[0, 3], [5, -2]], [0, 1], [[[0, 1]]]])
def test_codes_outside_their_range_or_shape_are_refused(codes: list[object]) -> None:
    with pytest.raises(ValueError, match=r"allowed: \(batch, rows\), 0 <= code <= 3"):
        encode(np.array(codes), 2, Encoding.BIT_SERIAL)


@pytest.mark.parametrize(
    ("encoding", "reads", "conversions", "bits", "noise", "power"),
    [
        # mean squares of the levels 2/3, 0, 1 and 1/3, 1, 2/3, and of their product
        (Encoding.AMPLITUDE, 1, 1, 2, 1.0, (13 * 2e-3 + 14 * 4e-3 + 2 * 8 * 5e-4) / 27),
        # full pulses: 5, 6 and 4 together, of nine slots
        (Encoding.PULSE_COUNT, 3, 1, 3, 3**-0.5, (5 * 2e-3 + 6 * 4e-3 + 2 * 3 * 5e-4) / 9),
        # bits that are set: 3, 4 and 1 together, of six
        (Encoding.BIT_SERIAL, 2, 2, 2, 5**0.5 / 3, (3 * 2e-3 + 4 * 4e-3 + 2 * 1 * 5e-4) / 6),
    ],
)
def test_cost_of_a_product_by_hand(
    encoding: Encoding, reads: int, conversions: int, bits: int, noise: float, power: float
) -> None:
    """Three vectors, two rows, five columns."""
    codes = np.array([[2, 1], [0, 3], [3, 2]])
    form = {Role.CELL: np.array([[2e-3, 5e-4], [5e-4, 4e-3]])}
    card = load_periphery()
    found = encoding_cost(encoding, 2, codes, form, 5, card, t_slot=2e-6, amplifiers=7, adc_bits=6)
    assert found.reads == reads
    assert found.noise == near(noise)
    assert found.time == near(reads * 2e-6 + conversions * 5 * 10e-9)
    assert found.energy.amplifiers == near(7 * 1.8e-4 * reads * 2e-6)
    assert found.energy.dac == near(2 * bits * 0.39e-12)
    assert found.energy.adc == near(5 * conversions * 0.42e-12)
    assert found.energy.digital == pytest.approx(5 * (conversions - 1) * 0.1e-12, rel=1e-9, abs=0)
    assert found.energy.cells == near(power * reads * 2e-6)
