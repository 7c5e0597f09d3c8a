"""The way back: weights that arrays hold, for the plain model that was put on them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nn_mapping.analog.attention import ArrayMultiheadAttention
from nn_mapping.analog.linear import ArrayMatrix
from nn_mapping.analog.recurrent import ArrayCell

if TYPE_CHECKING:
    from torch import Tensor, nn

_STEP = re.compile(r"(^|\.)(step|steps\.\d+)$")
"""Where the steps of recurrent layers stand in them; the weights are the layer's."""


def held_state(arrays: nn.Module, model: nn.Module) -> dict[str, Tensor]:
    """State of the plain model with the weights that arrays hold: levels times the scale of their matrix.

    ``model.load_state_dict`` takes it. The model then computes with exact products of the same weights, and converted
    again it has the same levels, as long as each matrix uses a level of the largest magnitude.

    Parameters
    ----------
    arrays
        What `convert` has made of the model, trained since or not.
    model
        The model that was converted; it is left alone.

    Returns
    -------
    dict
        Keys and shapes of ``model.state_dict()``.

    Raises
    ------
    ValueError
        When something of the model is not in the arrays: they are those of another model.
    """
    found = dict(arrays.state_dict())
    for name, part in arrays.named_modules(remove_duplicate=False):
        if isinstance(part, (ArrayMatrix, ArrayMultiheadAttention, ArrayCell)):
            place = _STEP.sub("", name)
            found |= {f"{place}.{key}".lstrip("."): values for key, values in part.held().items()}
    wanted = model.state_dict()
    missing = [key for key, values in wanted.items() if key not in found or found[key].shape != values.shape]
    if missing:
        raise ValueError(f"the arrays hold no {', '.join(missing)}: they were made of another model")
    return {key: found[key].clone() for key in wanted}
