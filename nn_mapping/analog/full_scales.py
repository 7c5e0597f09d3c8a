"""Full scales and trims of a converted model, from inputs that are given for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nn_mapping.analog.placement import arrays_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def calibrate(
    model: nn.Module, data: Tensor | Iterable[Any], run: Callable[[nn.Module, Any], object] | None = None
) -> None:
    """Set full scales and trims of all arrays of a model.

    Columns are trimmed at the present weights. Then the data go through the model in evaluation mode: every array sets
    the full scale of its inputs, positive and negative, and of its converters to the quantile of the readout, and what
    follows sees what the array makes of it. Over several batches, and several uses of one array, the largest counts.

    Parameters
    ----------
    model
        What `convert` has made; its modes are left as they are.
    data
        A tensor, which is one batch, or batches; of a batch that is a tuple or a list (inputs, labels) the first entry
        goes in.
    run
        Called with model and batch, for models that take more than one input; the batch is then given as it is.

    Raises
    ------
    ValueError
        When there are no arrays, or no input reaches one of them: its weights are not used, or they are read past the
        array. Such layers belong into the options as digital.
    """
    arrays = arrays_of(model).values()
    modes = {part: part.training for part in model.modules()}
    for array in arrays:
        array.begin_calibration()
    try:
        model.eval()
        with torch.no_grad():
            for batch in [data] if isinstance(data, Tensor) else data:
                if run is not None:
                    run(model, batch)
                else:
                    model(batch[0] if isinstance(batch, (tuple, list)) else batch)
    finally:
        for part, mode in modes.items():
            part.training = mode
        unread = [array.place for array in arrays if not array.end_calibration()]
    if unread:
        raise ValueError(
            f"no input reaches {', '.join(unread)}: not used, or read past the array; leave them digital"
        )
