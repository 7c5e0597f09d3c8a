"""How columns are read: ranges, defaults, what is drawn, the vectors of the trim."""

from dataclasses import replace

import numpy as np
import pytest

from circuits.periphery import load_periphery
from circuits.read.converter import ElementWeighting, draw_converter, draw_row_dacs
from hallspice.config.schema import Converters
from nn_mapping.column_readout import Readout, output_converters, random_vectors, row_dacs, trim_moments

ROUGH = Readout(v_full=0.5, dac_bits=3, adc_bits=4, dac_mismatch=0.1, adc_mismatch=0.15, adc_outputs=2)


def test_the_defaults_are_those_of_the_configuration_and_of_the_shipped_card() -> None:
    found, section = Readout(v_full=0.5), Converters()
    for name in ("dac_bits", "adc_bits", "dac_mismatch", "adc_mismatch"):
        assert getattr(found, name) == getattr(section, name)
    assert found.adc_outputs == load_periphery().adc.columns.value
    assert found.trim
    assert found.quantile == 0.999  # a thousandth is clipped


def test_ranges_of_a_readout() -> None:
    for good in (
        {"v_full": 1e-3},
        {"dac_bits": 1, "adc_bits": 24},
        {"dac_bits": None, "adc_bits": None},
        {"quantile": 0.51},
        {"quantile": 1.0},
    ):
        assert replace(ROUGH, **good)  # type: ignore[arg-type]
    for wrong in (
        {"v_full": 0.0},
        {"v_full": np.inf},
        {"v_full": -1.0},
        {"dac_bits": 0},
        {"adc_bits": 25},
        {"quantile": 0.5},
        {"quantile": 1.01},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            replace(ROUGH, **wrong)  # type: ignore[arg-type]


def test_outputs_share_a_converter_two_by_two() -> None:
    found = output_converters(5, ROUGH, seed=3, tile=4)
    assert [next(k for k, other in enumerate(found) if other is one) for one in found] == [0, 0, 2, 2, 4]
    random = np.random.default_rng([3, 4, 1])
    for place in (0, 2, 4):
        drawn = draw_converter(4, 0.15, random, ElementWeighting.BINARY)
        np.testing.assert_array_equal(found[place].thresholds, drawn.thresholds)
    assert len(output_converters(4, ROUGH, seed=3, tile=4)) == 4


def test_rows_have_dacs_of_their_own() -> None:
    found = row_dacs(5, ROUGH, seed=3, tile=4)
    assert found is not None
    drawn = draw_row_dacs(5, 3, 0.1, np.random.default_rng([3, 4, 2]), ElementWeighting.BINARY)
    np.testing.assert_array_equal(found.levels, drawn.levels)


@pytest.mark.parametrize(
    "readout",
    [replace(ROUGH, dac_bits=None, adc_bits=None), replace(ROUGH, dac_mismatch=0.0, adc_mismatch=0.0)],
    ids=["exact", "ideal"],
)
def test_nothing_is_drawn_for_converters_that_are_exact_or_ideal(readout: Readout) -> None:
    assert output_converters(5, readout, seed=3, tile=4) == ()
    assert row_dacs(5, readout, seed=3, tile=4) is None


def test_vectors_of_the_trim_are_of_5_to_100_per_cent_of_the_rows() -> None:
    found = random_vectors(2000, np.random.default_rng(0))
    assert found.shape == (256, 2000)
    shares = np.mean(found > 0, axis=1)
    # 256 uniform densities: the lowest within 0.02 of the end; 0.005 is the deviation of a share of 2000 rows
    assert 0.04 < shares.min() < 0.08
    assert 0.97 < shares.max() <= 1
    assert shares.mean() == pytest.approx(0.525, abs=0.07)  # four standard errors
    on = found[found > 0]
    assert on.min() < 1e-3
    assert 0.999 < on.max() <= 1
    assert on.mean() == pytest.approx(0.5, abs=0.01)


def test_the_trim_is_that_of_the_vectors_of_the_tile() -> None:
    """Mean and covariance of the vectors, as they are drawn for the tile."""
    mean, covariance = trim_moments(7, seed=3, tile=4)
    vectors = random_vectors(7, np.random.default_rng([3, 4]))
    np.testing.assert_allclose(mean, vectors.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(vectors.T, bias=True), rtol=1e-10)
