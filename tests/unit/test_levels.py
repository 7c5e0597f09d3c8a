import numpy as np
import pytest

from nn_mapping.levels import PAPER_LEVELS_OHM, level_set, nearest_level, pair_levels, single_levels


def test_single_cell_weights_are_the_published_table() -> None:
    levels = single_levels(PAPER_LEVELS_OHM)
    np.testing.assert_allclose(levels.weights, [-1, 1 / 12, 1 / 3, 7 / 12, 3 / 4, 1], atol=1e-12)
    assert levels.r_reference == pytest.approx(0.45)
    assert levels.minus.tolist() == [0, 5]


def test_a_reference_that_no_pair_gives_moves_the_weights_to_the_nearest_one() -> None:
    levels = single_levels(PAPER_LEVELS_OHM, r_reference=0.498)
    # 0.4975 = (0.46 + 0.535) / 2 does not exist; the nearest mean of two levels is 0.5 = (0.46 + 0.54) / 2
    assert levels.r_reference == pytest.approx(0.5)
    zero = levels.r_reference + levels.weights * levels.scale
    np.testing.assert_allclose(zero, PAPER_LEVELS_OHM, rtol=1e-12)
    assert np.abs(levels.weights).max() == pytest.approx(1)


def test_pairs_are_all_differences() -> None:
    pairs = pair_levels(PAPER_LEVELS_OHM)
    hundredths = sorted({round(100 * (a - b)) for a in PAPER_LEVELS_OHM for b in PAPER_LEVELS_OHM})
    assert len(pairs.weights) == 23
    np.testing.assert_allclose(pairs.weights, np.array(hundredths) / 24, atol=1e-12)
    ohm = pairs.levels_ohm
    np.testing.assert_allclose(
        (ohm[pairs.plus[:, 0]] - ohm[pairs.minus[:, 0]]) / pairs.scale, pairs.weights, rtol=1e-12
    )


def test_a_zero_pair_is_two_reset_cells() -> None:
    pairs = pair_levels(PAPER_LEVELS_OHM)
    zero = int(np.flatnonzero(pairs.weights == 0)[0])
    assert (pairs.plus[zero].tolist(), pairs.minus[zero].tolist()) == ([0], [0])


def test_a_pair_has_no_reference() -> None:
    assert pair_levels(PAPER_LEVELS_OHM).r_reference == 0.0
    # of 0.33 and 0.57
    assert single_levels(PAPER_LEVELS_OHM).r_reference == pytest.approx(0.45, rel=1e-12)


def test_levels_of_a_model_have_more_differences() -> None:
    assert len(pair_levels([0.3300, 0.4585, 0.4909, 0.5204, 0.5453, 0.5649]).weights) == 31


@pytest.mark.parametrize("levels", [[0.33], [0.33, 0.33], [0.3, np.nan], [0.1, np.inf], list(range(257))])
def test_wrong_levels(levels: list[float]) -> None:
    with pytest.raises(ValueError, match="levels_ohm"):
        single_levels(levels)


def test_levels_of_both_signs() -> None:
    """A Hall resistance has a sign: a centred loop."""
    levels = single_levels([0.2, -0.2, 0.0])
    assert levels.weights.tolist() == [-1, 0, 1]
    assert levels.r_reference == 0
    assert pair_levels([-0.2, 0.0, 0.2]).weights.tolist() == [-1, -0.5, 0, 0.5, 1]


def test_many_levels() -> None:
    """256 levels; pairs of uneven ones have more weights than a byte can number."""
    ohm = np.random.default_rng(0).uniform(-0.2, 0.4, 256)
    single, pairs = single_levels(ohm), pair_levels(ohm)
    assert len(single.weights) == 256
    assert len(pairs.weights) > 60000
    assert nearest_level(single.weights, single.weights).tolist() == list(range(256))
    assert nearest_level(single.weights, single.weights).dtype == np.uint8
    assert nearest_level(pairs.weights[::999], pairs.weights).tolist() == list(
        range(0, len(pairs.weights), 999)
    )


def test_wrong_references() -> None:
    with pytest.raises(
        ValueError, match=r"r_reference = 0\.6 Ohm is outside the levels \[0\.33, 0\.57\] Ohm"
    ):
        single_levels(PAPER_LEVELS_OHM, 0.6)
    with pytest.raises(ValueError, match="a pair has none"):
        level_set("differential", PAPER_LEVELS_OHM, 0.5)


def test_nearest_level() -> None:
    levels = np.array([-1.0, 0.0, 0.5])
    assert nearest_level(np.array([-2.0, -0.51, -0.49, 0.24, 0.26, 9.0]), levels).tolist() == [
        0,
        0,
        1,
        1,
        2,
        2,
    ]
