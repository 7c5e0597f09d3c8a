"""The product of a matrix of weights and inputs as tiles make it."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from circuits.arrays.crossbar import ideal_transfer, slots
from circuits.read.calibration import calibrate_transfer
from nn_mapping.analog.array_response import HeldResponse, array_response
from nn_mapping.analog.read_noise import OutputNoise
from nn_mapping.analog.rounding import rounded, upper_quantile
from nn_mapping.analog.tiled_read import Kernel, Plan, count_outputs, magnitudes, read
from nn_mapping.analog.tiling import Tiling
from nn_mapping.analog.weight_cells import WeightCells
from nn_mapping.column_readout import output_converters, row_dacs, trim_moments
from nn_mapping.mapping import combination, output_per_weight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from circuits.solve.tensor import TransferTensor
    from compact_model.numeric import Floats
    from nn_mapping.analog.chip_design import Chip
    from nn_mapping.analog.read_noise import ReadNoise
    from nn_mapping.analog.tiling import Block
    from nn_mapping.column_readout import Readout

    Listener = Callable[[Tensor, bool, Kernel | None], None]
    """Told of every read: what rows are driven with (count, groups * inputs, ...), as codes of ideal DACs or shares of
    full scale; whether it is the first read of these inputs; how a convolution goes over it."""

TRIM_EVERY = 100
"""Products in training after which the columns are trimmed anew."""
SCALE_EVERY = 20
"""Products in training after which full scales follow the values."""
MOMENTUM = 0.2
"""Share of the way that a full scale goes when it follows."""


class TiledProduct(nn.Module):
    """What the tiles of one layer make of inputs and weights, in units of the weights.

    An input of both signs is read twice, its positive and its negative part, each with full scales of its own; an
    input in slices is read once for each of them, with the same full scales, so that codes add by significance. Where
    rows take turns, every row is converted on its own.
    Everything that decides the result is a buffer. Full scales are set by calibration alone; in training they follow
    the values, and the columns are trimmed again, as `module.training` says.

    Parameters
    ----------
    weights
        (groups, outputs, inputs) in units of the levels: shape, type and device.
    chip
        Array, levels, converters, of this layer.
    first_tile
        Number of its first tile in the network, which seeds what is drawn for the tiles.
    known
        Transfer tensors by array and shape; new ones are added.
    """

    input_full: Tensor
    output_full: Tensor
    adc: Tensor | None
    dac: Tensor | None

    def __init__(
        self,
        weights: Tensor,
        chip: Chip,
        first_tile: int = 0,
        known: dict[tuple[Any, ...], list[TransferTensor]] | None = None,
    ) -> None:
        super().__init__()
        groups, outputs, inputs = weights.shape
        self.chip, self.first_tile = chip, first_tile
        self.tiling = Tiling(groups, outputs, inputs, chip.tile, chip.level_set, first_tile)
        self.cells = WeightCells(chip.level_set, chip.states, chip.config, weights.dtype).to(weights.device)
        units = [
            output_per_weight(chip.level_set, chip.states, chip.config, rows.stop - rows.start)
            for rows in self.tiling.rows
        ]
        self.unit = units[0]
        shared = {} if known is None else known
        self.responses = nn.ModuleList(
            array_response(states, chip, block.numbers, shared)
            for block, states in zip(self.tiling.blocks, self._states(weights.detach()), strict=True)
        )
        for number, block in enumerate(self.tiling.blocks):
            columns = self._columns(block)
            signs = torch.from_numpy(combination(columns, chip.level_set)).to(weights)
            self.register_buffer(f"signs{number}", signs)
            self.register_buffer(f"gain{number}", weights.new_ones(len(block.numbers), columns))
            self.register_buffer(f"shift{number}", weights.new_zeros(len(block.numbers), columns))
        self.register_buffer("input_full", weights.new_full((2,), math.nan))
        self.register_buffer("output_full", weights.new_full((2,), math.nan))
        if chip.input_full is not None:
            self.input_full.copy_(torch.tensor((chip.input_full, 0.0)))
        self._factors = tuple(self.unit / unit for unit in units)
        self._moments: list[tuple[Floats, Floats]] = []
        self._draw_converters()
        self.noise: ReadNoise | None = None
        """Of every read, without gradients; None: there is none. It is drawn, no part of the state."""
        self.listener: Listener | None = None
        self.calibrating = False
        self.steps = 0
        self._signs: tuple[int, ...] | None = None

    def _turns(self, rows: slice) -> list[slice]:
        """Inputs of a tile that are read and converted at once."""
        count = slots(self.chip.config, rows.stop - rows.start)
        step = (rows.stop - rows.start) // count
        return [slice(start, start + step) for start in range(rows.start, rows.stop, step)]

    # What is written

    def _columns(self, block: Block) -> int:
        held = block.outputs_each * len(self.cells.shares)
        return held * 2 if self.cells.pair else held + len(self.cells.reference)

    def count_cells(self) -> int:
        """Cells in all tiles, references included."""
        return sum(len(block.numbers) * block.rows * self._columns(block) for block in self.tiling.blocks)

    def _states(self, weights: Tensor) -> Iterator[Tensor]:
        """States (tiles, rows, columns) of each block [Ohm]."""
        for block in self.tiling.blocks:
            groups, along_outputs, along_inputs = block.grid
            held = weights[:, block.outputs, block.inputs].reshape(
                groups, along_outputs, block.outputs_each, along_inputs, block.rows
            )
            yield self.cells.tiles(held.permute(0, 1, 3, 4, 2).flatten(0, 2))

    def hold(self, transfers: Sequence[Floats]) -> None:
        """Have these transfer matrices (columns, rows), by the numbers of the tiles, whatever the weights are."""
        for place, block in enumerate(self.tiling.blocks):
            held = torch.from_numpy(np.stack([transfers[number] for number in block.numbers]))
            self.responses[place] = HeldResponse(held.to(self.cells.levels))

    def trim(self, weights: Tensor) -> None:
        """Calibrate the columns at these weights; for gradients, gains and offsets are constants."""
        chip = self.chip
        if not self._moments:
            self._moments = [_trim_moments(block, chip.seed) for block in self.tiling.blocks]
        with torch.no_grad():
            blocks = zip(self.responses, self._states(weights.detach()), self._moments, strict=True)
            for number, (response, states, (mean, covariance)) in enumerate(blocks):
                gains, shifts = getattr(self, f"gain{number}"), getattr(self, f"shift{number}")
                if not chip.readout.trim:
                    gains.fill_(1.0)
                    shifts.fill_(0.0)
                    continue
                ideal = np.stack([ideal_transfer(tile, chip.config) for tile in _doubles(states)])
                found = calibrate_transfer(_doubles(response(states)), ideal, mean, covariance)
                gains.copy_(torch.from_numpy(found.gain))
                shifts.copy_(torch.from_numpy(chip.readout.v_full * found.offset))

    def matrices(self, weights: Tensor) -> tuple[Tensor, Tensor | None]:
        """Signed outputs per input, (groups, outputs, inputs), and what the trim adds to each read of a tile.

        The latter has shape (tiles along the inputs, groups, outputs). Each slice of an output is an output here.
        """
        parts, offsets = [], []
        blocks = zip(self.tiling.blocks, self.responses, self._states(weights), strict=True)
        for number, (block, response, states) in enumerate(blocks):
            signs, gain = getattr(self, f"signs{number}"), getattr(self, f"gain{number}")
            signed = signs @ (gain.unsqueeze(2) * response(states))
            placed = signed.unflatten(0, block.grid).permute(0, 1, 3, 2, 4)
            parts.append(placed.flatten(3, 4).flatten(1, 2))
            each = getattr(self, f"shift{number}") / slots(self.chip.config, block.rows)
            shift = (each @ signs.T).unflatten(0, block.grid)
            offsets.append(shift.permute(2, 0, 1, 3).flatten(2, 3))
        width = len(self.tiling.grid[0])
        lines = range(0, len(parts), width)
        matrix = torch.cat([torch.cat(parts[start : start + width], dim=2) for start in lines], dim=1)
        if not self.chip.readout.trim:
            return matrix, None
        return matrix, self._by_grid(offsets)

    # Converters and their full scales

    def set_readout(self, readout: Readout) -> None:
        """Read in another way from now on; the columns are trimmed, and full scales set, by the next calibration."""
        slices = self.chip.input_slice_bits if readout.dac_bits else None
        self.chip = replace(self.chip, readout=readout, input_slice_bits=slices)
        self._draw_converters()
        self.output_full.fill_(math.nan)
        self._signs = None

    def _draw_converters(self) -> None:
        """Thresholds and levels of converters with mismatch.

        Shapes (tiles along the inputs, groups, outputs, codes - 1) and (sets, groups, inputs, codes).
        """
        readout, drawn, tiling = self.chip.readout, self.chip.drivers, self.tiling
        groups, inputs, levels = tiling.groups, tiling.inputs, self.cells.levels
        converted = tiling.converted
        adc = dac = None
        if readout.adc_bits is not None and readout.adc_mismatch:
            adc = levels.new_empty(len(tiling.rows), groups, converted[-1].stop, 2**readout.adc_bits - 1)
        if drawn.dac_bits is not None and drawn.dac_mismatch:
            dac = levels.new_empty(len(tiling.outs), groups, inputs, 2**drawn.dac_bits)
        places = np.ndindex(groups, len(tiling.outs), len(tiling.rows))
        for tile, (group, out, row) in enumerate(places, start=self.first_tile):
            outs, rows = converted[out], tiling.rows[row]
            if adc is not None:
                converters = output_converters(outs.stop - outs.start, readout, self.chip.seed, tile)
                thresholds = np.sort([converter.thresholds for converter in converters])
                adc[row, group, outs] = torch.from_numpy(thresholds).to(levels)
            if dac is not None:
                dacs = row_dacs(rows.stop - rows.start, drawn, self.chip.seed, tile)
                assert dacs is not None
                dac[out, group, rows] = torch.from_numpy(dacs.levels).to(levels)
        self.register_buffer("adc", adc)
        self.register_buffer("dac", dac)
        bands = [(tile, turn) for tile, rows in enumerate(tiling.rows) for turn in self._turns(rows)]
        self.plan = Plan(
            groups=groups,
            rows=tuple(rows for _, rows in bands),
            tiles=tuple(tile for tile, _ in bands),
            factors=tuple(self._factors[tile] for tile, _ in bands),
            outputs=tuple(converted) if dac is not None else (slice(0, converted[-1].stop),),
            half=None if readout.adc_bits is None else 2 ** (readout.adc_bits - 1),
        )

    def set_full_scales(
        self, inputs: tuple[float, float], outputs: tuple[float, float] | None = None
    ) -> None:
        """Set what the converters' full scales stand for.

        Parameters
        ----------
        inputs
            Largest positive and largest negative input (its magnitude; 0: inputs have no negative part).
        outputs
            Output of a tile [A or V] in the read of the positive and of the negative part; None without ADC.
        """
        full = (1.0, 1.0) if outputs is None else outputs
        if not (inputs[0] > 0 and inputs[1] >= 0 and full[0] > 0 and (full[1] > 0 or inputs[1] == 0)):
            raise ValueError(
                f"full scales: inputs = {inputs}, outputs = {outputs}, allowed: > 0, no negative part: 0"
            )
        self.input_full.copy_(torch.tensor(inputs, dtype=torch.float64))
        self.output_full.copy_(torch.tensor(full, dtype=torch.float64))
        self._signs = None

    def begin_calibration(self, weights: Tensor) -> None:
        """Forget the full scales and trim the columns; from now on every product widens the full scales."""
        self.trim(weights)
        if self.chip.input_full is None:
            self.input_full.fill_(math.nan)
        self.output_full.fill_(math.nan)
        self.calibrating, self._signs = True, None

    def end_calibration(self) -> bool:
        """Keep the full scales as they are; False when no input has come."""
        self.calibrating, self._signs = False, None
        return self.calibrated

    @property
    def calibrated(self) -> bool:
        """Whether full scales are set."""
        last = self.input_full if self.plan.half is None else self.output_full
        return self._signs is not None or not math.isnan(float(last[0]))

    def signs(self) -> tuple[int, ...]:
        """0 for the read of the positive part, 1 for that of the negative part of inputs."""
        if self._signs is None:
            self._signs = (0, 1) if float(self.input_full[1]) > 0 else (0,)
        return self._signs

    def _observe_inputs(self, x: Tensor) -> None:
        """Let the full scales of the inputs follow them, or say that negative ones come to a fixed full scale."""
        if self.chip.input_full is None:
            for sign, part in enumerate((x, -x)):
                self._observe(self.input_full, sign, [part.clamp(min=0)], part.numel())
        elif bool((x < 0).any()):
            self.input_full[1], self._signs = self.input_full[0], None

    def _observe(self, full: Tensor, sign: int, values: Iterable[Tensor], count: int) -> None:
        """Let a full scale follow these values, which are positive."""
        if not count:
            return
        before = float(full[sign])
        now, largest = upper_quantile(values, count, self.chip.readout.quantile)
        now = now if now > 0 else largest  # too rare for the quantile, and still to be read
        if self.calibrating and not math.isnan(before):
            now = max(before, now)
        elif before > 0:
            now = before + MOMENTUM * (now - before)
        full[sign] = now
        self._signs = None

    # The product

    def advance(self, weights: Tensor) -> None:
        """One step of training: every `TRIM_EVERY` steps the columns are trimmed at these weights."""
        if self.steps % TRIM_EVERY == 0:
            self.trim(weights)
        self.steps += 1

    def product(
        self, x: Tensor, matrices: tuple[Tensor, Tensor | None], kernel: Kernel | None = None
    ) -> Tensor:
        """Outputs (count, groups * outputs, ...) of inputs (count, groups * inputs, ...), in units of the weights.

        Parameters
        ----------
        x
            (count, in), or (count, channels, height, width) for a kernel.
        matrices
            What `matrices` has made of the weights.
        kernel
            How a convolution goes over `x`.
        """
        matrix, offset = matrices
        adapts = self.calibrating or (self.training and self.steps % SCALE_EVERY == 1)
        if adapts:
            self._observe_inputs(x.detach())
        if self.noise is not None and torch.is_grad_enabled():
            raise RuntimeError("reads with noise have no gradients: call the model within torch.no_grad()")
        plan = self.plan.with_kernel(kernel if self.dac is None or kernel is None else Kernel())
        total: Tensor | None = None
        for sign in self.signs():
            drives = self._drives(x if sign == 0 else -x, sign, kernel)
            if adapts and self.chip.readout.adc_full is not None:
                self.output_full[sign] = self.chip.readout.adc_full
            elif adapts and plan.half is not None:
                with torch.no_grad():
                    found = (magnitudes(drive, matrix * self.share(), offset, plan) for drive in drives)
                    count = sum(count_outputs(drive, matrix, plan) for drive in drives)
                    self._observe(self.output_full, sign, chain.from_iterable(found), count)
            step, factor = self._steps(sign)
            shift = None if offset is None else offset / step
            held, noise = matrix * (self.share() / step), self._output_noise(self.share() / step)
            for drive, weight in zip(drives, self._drive_weights(), strict=True):
                codes = read(drive, held, shift, self.adc, plan, noise)
                counts = factor * (weight if sign == 0 else -weight)
                total = codes * counts if total is None else total + codes * counts
        assert total is not None
        total = self.cells.joined(total)
        if kernel is not None:  # patches may have come one after another
            total = total.reshape(*total.shape[:2], *kernel.positions(x.shape[2], x.shape[3]))
        return total

    def _drives(self, x: Tensor, sign: int, kernel: Kernel | None) -> list[Tensor]:
        """What the drivers make of inputs in each read, (sets, ...): codes of DACs, or shares of full scale without.

        Where drivers have a mismatch, patches take the place of images: a pixel is driven by several of them.
        """
        slices, full = self.chip.input_slices, _resolved(self.input_full[sign])
        if slices is None:
            each = [x.clamp(min=0) / full]
        else:
            top = 2**slices.bits - 1
            codes = rounded(x, full / top, 0, top)
            if self.dac is not None and kernel is not None:
                codes, kernel = kernel.patches(codes), Kernel()
            each = slices.split(codes)
        if self.listener is not None:
            for number, part in enumerate(each):
                self.listener(part.detach(), sign == 0 and number == 0, kernel)
        return [part.unsqueeze(0) if slices is None else self._driven(part, slices.top) for part in each]

    def _driven(self, codes: Tensor, top: int) -> Tensor:
        """What the DACs make of their codes, (sets, ...)."""
        if self.dac is None:
            return codes.unsqueeze(0)
        levels: Tensor = self.dac.flatten(1, 2)  # (sets, rows, codes)
        row = torch.arange(levels.shape[1], device=codes.device).view(-1, *[1] * (codes.ndim - 2))
        driven = levels[:, row, codes.detach().long()] * top
        found: Tensor = codes + (driven - codes.detach())
        return found

    def _drive_weights(self) -> list[float]:
        """Share of a full input that a full drive stands for in each read."""
        slices = self.chip.input_slices
        if slices is None:
            return [1.0]
        return [value * slices.top / (2**slices.bits - 1) for value in slices.significance]

    def share(self) -> float:
        """Input of a row that one unit of `_drives` stands for [V or A]."""
        slices = self.chip.input_slices
        return self.chip.readout.v_full / (1 if slices is None else slices.top)

    def digital(self, x: Tensor, weights: Tensor, kernel: Kernel | None = None) -> Tensor:
        """What `product` gives without arrays and converters, for weights (groups, outputs, inputs)."""
        plan = Plan(
            groups=self.tiling.groups,
            rows=(slice(0, self.tiling.inputs),),
            tiles=(0,),
            factors=(1.0,),
            outputs=(slice(0, self.tiling.outputs),),
            half=None,
            kernel=kernel,
        )
        return read(x.unsqueeze(0), weights, None, None, plan)

    def _output_noise(self, share: Tensor) -> OutputNoise | None:
        """Noise of the outputs, for drives of which a unit is `share` [V or A per step]."""
        if self.noise is None:
            return None
        level_set = self.chip.level_set
        window = level_set.levels_ohm[-1] - level_set.levels_ohm[0]
        cell = self.noise.of_window * float(window) / level_set.scale * self.unit * share
        own: list[Tensor] = []
        shared: list[Tensor] = []
        for number, block in enumerate(self.tiling.blocks):
            squares = (getattr(self, f"signs{number}") * getattr(self, f"gain{number}").unsqueeze(1)).square()
            alone = squares if self.cells.pair else squares[..., : -len(self.cells.reference)]
            parts = [alone.sum(2)]
            if not self.cells.pair:
                parts.append(squares[:, :1, -len(self.cells.reference) :].sum(2))
            for found, part in zip((own, shared), parts, strict=False):
                by_band = part.sqrt().unflatten(0, block.grid).permute(2, 0, 1, 3)
                found.append(by_band.flatten(2))
        factors = cell / torch.tensor(self._factors, dtype=torch.float64).to(share).view(-1, 1, 1)
        heard = bool(shared) and self.noise.reference
        return OutputNoise(
            own=self._by_grid(own) * factors,
            shared=(self._by_grid(shared) * factors).unsqueeze(3) * self._members() if heard else None,
            generator=self.noise.generator,
        )

    def _members(self) -> Tensor:
        """1 for the converted outputs of each tile, 0 for those of the others, (tiles along the outputs, outputs)."""
        alone = torch.eye(len(self.tiling.converted)).to(self.cells.levels)
        sizes = torch.tensor([part.stop - part.start for part in self.tiling.converted], device=alone.device)
        return alone.repeat_interleave(sizes, dim=1)

    def _by_grid(self, parts: list[Tensor]) -> Tensor:
        """What each block has, (its tiles along the inputs, groups, along the outputs), for the whole layer."""
        width = len(self.tiling.grid[0])
        lines = range(0, len(parts), width)
        return torch.cat([torch.cat(parts[start : start + width]) for start in lines], dim=2)

    def _steps(self, sign: int) -> tuple[Tensor, Tensor]:
        """A step of the converters [A or V], and what it stands for in units of the weights."""
        full = _resolved(self.input_full[sign])
        step = torch.ones_like(full)
        if self.plan.half is not None:
            step = _resolved(self.output_full[sign]) / self.plan.half
        return step, step * full / (self.unit * self.chip.readout.v_full)

    def _load_from_state_dict(self, *arguments: Any, **named: Any) -> None:
        self._signs = None
        super()._load_from_state_dict(*arguments, **named)


def _trim_moments(block: Block, seed: int) -> tuple[Floats, Floats]:
    """Means (tiles, rows) and covariances (tiles, rows, rows) of what each tile of a block is trimmed on."""
    found = [trim_moments(block.rows, seed, tile) for tile in block.numbers]
    return np.stack([mean for mean, _ in found]), np.stack([covariance for _, covariance in found])


def _doubles(values: Tensor) -> Floats:
    doubles: Floats = values.detach().cpu().double().numpy()
    return doubles


def _resolved(full: Tensor) -> Tensor:
    """A full scale to divide by: what is always zero needs no resolution."""
    return torch.where(full > 0, full, 1.0)
