"""Reads of tiles by hand: parts, codes, gradients where codes end."""

import numpy as np
import pytest
import torch

from circuits.read.converter import Converter
from nn_mapping.analog import tiled_read
from nn_mapping.analog.tiled_product import _resolved
from nn_mapping.analog.tiled_read import Kernel, Plan, parts, read


def plan(**changes: object) -> Plan:
    """One group, two bands of rows, two sets of drivers for outputs 0..1 and 2..4."""
    given: dict[str, object] = {
        "groups": 1,
        "rows": (slice(0, 2), slice(2, 3)),
        "tiles": (0, 1),
        "factors": (1.0, 1.0),
        "outputs": (slice(0, 2), slice(2, 5)),
        "half": None,
    }
    return Plan(**(given | changes))  # type: ignore[arg-type]


def test_a_kernel_is_one_tap_by_default() -> None:
    assert (Kernel().taps, Kernel().positions(5, 7)) == (1, (5, 7))
    assert (Kernel(size=(2, 4)).taps, Kernel(size=(2, 4)).positions(5, 7)) == (8, (4, 4))
    strided = Kernel(size=(2, 3), stride=(1, 2), padding=(0, 1), dilation=(2, 1))
    assert strided.positions(7, 8) == (5, 4)
    assert strided.patches(torch.rand(2, 3, 7, 8)).shape == (2, 18, 20, 1)


def test_inputs_are_read_in_parts_that_fit_into_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 6 outputs at once: three images of two outputs, two of three; never less than one image."""
    monkeypatch.setattr(tiled_read, "_CHUNK", 6)
    found = [
        (part.drivers, part.outputs.start, part.band, part.reads.start, part.reads.stop)
        for part in parts(plan(), torch.zeros(2, 4, 3))
    ]
    assert found == [
        (drivers, first, band, start, start + step)
        for drivers, first, step, starts in ((0, 0, 3, (0, 3)), (1, 2, 2, (0, 2)))
        for start in starts
        for band in (0, 1)
    ]
    # 2 x 3 positions of 2 groups of outputs: 24 and 36 numbers an image
    kernel = plan(kernel=Kernel(size=(2, 1)), groups=2)
    reads = {(part.reads.start, part.reads.stop) for part in parts(kernel, torch.zeros(2, 4, 6, 3, 3))}
    assert reads == {(0, 1), (1, 2), (2, 3), (3, 4)}
    monkeypatch.setattr(tiled_read, "_CHUNK", 72)
    steps = [part.reads.stop - part.reads.start for part in parts(kernel, torch.zeros(2, 4, 6, 3, 3))]
    assert set(steps[:4]) == {3}
    assert set(steps[-4:]) == {2}


def test_a_read_in_parts_is_the_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    drive, matrix = torch.randn(2, 4, 3), torch.randn(1, 5, 3)
    whole = read(drive, matrix, None, None, plan(factors=(1.0, 0.5)))
    one = torch.cat([drive[0, :, :2] @ matrix[0, :2, :2].T, drive[1, :, :2] @ matrix[0, 2:, :2].T], dim=1)
    other = torch.cat([drive[0, :, 2:] @ matrix[0, :2, 2:].T, drive[1, :, 2:] @ matrix[0, 2:, 2:].T], dim=1)
    torch.testing.assert_close(whole, one + 0.5 * other)
    monkeypatch.setattr(tiled_read, "_CHUNK", 1)
    torch.testing.assert_close(read(drive, matrix, None, None, plan(factors=(1.0, 0.5))), whole)


def test_gradients_end_at_the_first_and_at_the_last_code() -> None:
    """Codes from -4 to 3, and a factor of 2 on the second band."""
    simple = plan(rows=(slice(0, 1), slice(1, 2)), factors=(1.0, 2.0), outputs=(slice(0, 1),), half=4)
    drive = torch.tensor([[[-4.2, 0.0], [-3.9, 0.0], [2.5, 0.0], [3.2, 0.0], [0.0, 2.6], [0.0, -5.0]]])
    drive.requires_grad_()
    found = read(drive, torch.ones(1, 1, 2), None, None, simple)
    assert found.flatten().tolist() == [-4, -4, 2, 3, 6, -8]
    found.sum().backward()
    assert drive.grad is not None
    assert drive.grad[0].tolist() == [[0, 2], [1, 2], [1, 2], [0, 2], [1, 2], [1, 0]]


def test_codes_at_a_threshold_are_those_of_the_converter() -> None:
    thresholds = np.array([[0.125, 0.375, 0.625], [0.25, 0.5, 0.75]])
    current = torch.tensor([[0.5, 0.0], [-1.5, -1.0], [1.9, -1.01]])
    shares = ((current / 2 + 1) / 2).numpy()
    found = tiled_read._codes(current, torch.from_numpy(thresholds).float(), 2)
    for output in (0, 1):
        expected = Converter(thresholds[output]).convert(shares[:, output]) - 2
        assert found[:, output].tolist() == expected.tolist()
    assert found.tolist() == [[1, 0], [-1, -1], [1, -2]]


def test_a_full_scale_of_nothing_is_one() -> None:
    assert _resolved(torch.tensor([0.0, 0.25, 3.0])).tolist() == [1.0, 0.25, 3.0]
