"""Tables as CSV text."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np


def csv_text(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """CSV text with a header line; floats in full precision."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([[_field(value) for value in row] for row in rows])
    return stream.getvalue()


def _field(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, (float, np.floating)) else str(value)
