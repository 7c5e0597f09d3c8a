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


def test_a_reference_may_be_a_level_and_any_value_of_the_window() -> None:
    """The mean of a level with itself; the bounds are the outermost levels, not their neighbours."""
    alone = single_levels([0.0, 1.0, 10.0], r_reference=1.0)
    assert alone.minus.tolist() == [1, 1]
    assert alone.weights.tolist() == pytest.approx([-1 / 9, 0, 1], rel=1e-12)
    for wanted in (0.33, 0.34, 0.56, 0.57):
        assert single_levels(PAPER_LEVELS_OHM, wanted).r_reference == pytest.approx(wanted, abs=0.011)
    for wanted in (0.32, 0.58):
        with pytest.raises(ValueError, match="outside the levels"):
            single_levels(PAPER_LEVELS_OHM, wanted)


@pytest.mark.parametrize(("off", "widest"), [(1e-9, True), (3e-8, False)])
def test_of_references_as_good_as_equal_the_widest_pair_is_taken(off: float, widest: bool) -> None:
    """Equal to 5e-10 of the window, which is 30 here: an inner pair that is exact does not beat an outer one."""
    levels = single_levels([-15.0, -5.0, 5.0, 15.0 + 2 * off], r_reference=0.0)
    assert levels.minus.tolist() == ([0, 3] if widest else [1, 2])


@pytest.mark.parametrize(
    ("ohm", "count"),
    [
        # 0.5 + d/2 and 0.5 - d/2 with d = 1.8e-9 and 0.8e-9 of the window
        ([0.0, 0.5 + 0.9e-9, 1.0], 7),
        ([0.0, 0.5 + 0.4e-9, 1.0], 5),
        # 0.1 twice, 0.2e-9 apart, on either side of a half of 1e-9: 0, 0.1, 0.8, 0.9, 1 and their negatives
        ([0.0, 0.1 + 0.6e-9, 0.9 - 0.4e-9, 1.0], 9),
    ],
)
def test_differences_that_are_equal_but_for_rounding_are_one_weight(ohm: list[float], count: int) -> None:
    assert len(pair_levels(ohm).weights) == count
    assert len(pair_levels(np.array(ohm) * 7).weights) == count


def test_of_equal_differences_the_lowest_pair_is_taken() -> None:
    pairs = pair_levels([0.0, 1.0, 2.0, 3.0])
    assert pairs.weights.tolist() == pytest.approx([-1, -2 / 3, -1 / 3, 0, 1 / 3, 2 / 3, 1])
    assert pairs.plus[:, 0].tolist() == [0, 0, 0, 0, 1, 2, 3]
    assert pairs.minus[:, 0].tolist() == [3, 2, 1, 0, 0, 0, 0]


def test_levels_are_a_list() -> None:
    with pytest.raises(ValueError, match="expected a list of 2 to 256 levels"):
        single_levels(np.array([[0.1, 0.2], [0.3, 0.4]]))


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
