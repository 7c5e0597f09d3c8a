import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from nn_mapping.levels import level_set, nearest_level
from nn_mapping.quantiser import Quantiser

hundredths = st.lists(st.integers(1, 200), min_size=2, max_size=8, unique=True)
free = st.lists(st.floats(0.01, 2.0), min_size=2, max_size=8, unique_by=lambda level: round(level, 3))


@given(
    levels=st.one_of(hundredths.map(lambda values: [value / 100 for value in values]), free),
    scheme=st.sampled_from(["reference", "differential"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_quantiser_finds_the_nearest_level(levels: list[float], scheme: str, seed: int) -> None:
    """As a search over all levels does, up to ties within single precision."""
    weights = level_set(scheme, levels).weights
    values = np.random.default_rng(seed).uniform(weights[0], weights[-1], 400).astype(np.float32)
    quantiser = Quantiser(weights)
    index = quantiser.index(torch.from_numpy(values)).numpy()
    written = torch.empty(len(values))
    quantiser.into(written, torch.from_numpy(values))
    distance = np.abs(weights[None, :] - values[:, None])
    # 1e-6: rounding of the value's place on a grid of up to 16384 steps, in single precision
    assert (distance[np.arange(len(values)), index] <= distance.min(axis=1) + 1e-6).all()
    np.testing.assert_array_equal(written.numpy(), weights.astype(np.float32)[index])
    searched = nearest_level(values, weights)
    assert (distance[np.arange(len(values)), searched] <= distance.min(axis=1) + 1e-12).all()


@given(scheme=st.sampled_from(["reference", "differential"]), levels=free)
def test_ends_of_the_range_are_levels(scheme: str, levels: list[float]) -> None:
    weights = level_set(scheme, levels).weights
    ends = torch.tensor([weights[0], weights[-1]], dtype=torch.float32)
    assert Quantiser(weights).index(ends).tolist() == [0, len(weights) - 1]
