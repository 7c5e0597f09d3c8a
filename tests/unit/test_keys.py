"""Every key of a configuration changes a result, or is refused where it has no effect: the schema is walked key by key.

A probe computes numbers from a configuration, as a command does, and never shows the configuration itself. A key of an
array or of writing is tried in every architecture, against all that reads it there; each other key is in `SHOWN`, with
the probe that it changes. A key that is new in the schema fails here until something reads it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
import torch
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from torch import nn

from circuits.arrays.architecture import Architecture
from circuits.arrays.crossbar import amplifiers, crossbar, slots
from circuits.periphery import PeripheryCard, load_periphery
from circuits.read.encoding import Encoding, encoding_cost
from circuits.read.trial import run_trial
from circuits.spice import netlist as spice
from circuits.write.scheme import schemes
from circuits.write.solver import WriteSolver
from compact_model.cards.document import DocumentError, KeyPath, dotted
from compact_model.cards.storage import scratch_folder
from compact_model.hallbar import hall_bar
from hallspice.array.read_netlist import drawn_states
from hallspice.comparison.trials import all_trials, configured
from hallspice.config.demand import Demand
from hallspice.config.load import load_setup
from hallspice.config.schema import Config
from hallspice.config.section import Section
from hallspice.config.setup import Setup
from hallspice.config.unused import SWITCHES, USES
from hallspice.inference.certificate import certificate_of
from hallspice.inference.collect import results_of
from hallspice.inference.examination import build, examine, write_plan
from hallspice.networks import evaluation
from hallspice.networks import train as training_command
from hallspice.networks.datasets import dataset_of
from hallspice.networks.kept import make_networks
from hallspice.programming.plan import writing
from hallspice.programming.write import write as write_array
from hallspice.progress import SILENT
from hallspice.sweeps.sweep import plan
from nn_mapping.data import Dataset

Content = dict[str, Any]
Probe = Callable[[Content], Any]


def keys(model: type[Section] = Config, path: KeyPath = ()) -> Iterator[tuple[KeyPath, FieldInfo]]:
    """All keys of the schema that hold a value, those of sections in lists with the number 0, in dicts named 1."""
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Section):
            yield from keys(info.annotation, (*path, name))
            continue
        yield (*path, name), info
        kind = get_origin(info.annotation)
        for part in get_args(info.annotation) if kind in (list, dict) else ():
            if isinstance(part, type) and issubclass(part, Section):
                yield from keys(part, (*path, name, 0 if kind is list else "1"))


KEYS = dict(keys())


def with_value(content: Any, path: KeyPath, value: Any) -> Any:
    """A copy of a configuration with one key set."""
    if not path:
        return value
    name, *below = path
    if isinstance(name, int):
        return [with_value(content[name], tuple(below), value)]
    inside = content if isinstance(content, dict) else {}
    return {**inside, name: with_value(inside.get(name), tuple(below), value)}


def merged(content: Content, more: Mapping[str, Any]) -> Content:
    """A configuration with other values, section by section."""
    result = dict(content)
    for name, value in more.items():
        old = result.get(name)
        result[name] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def exact(value: Any) -> Any:
    """All numbers of a result, comparable to the last digit."""
    if dataclasses.is_dataclass(value):
        return {one.name: exact(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): exact(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [exact(one) for one in value]
    return repr(value.tolist()) if isinstance(value, np.ndarray) else repr(value)


# ---- values unlike the default -------------------------------------------------------------------------------------

OTHERS: dict[str, Any] = {
    "array.rows": 2,
    "array.columns": 3,
    "array.periphery": "periphery.yaml",
    "array.driver.v_supply": 0.1,
    "array.adc.columns": 2,
    "array.cell.r_arm": 300,
    "array.cell.c_arm": 3e-15,
    "array.cell.mismatch": 0.1,
    "array.cell.r_off_spread": 1.0,
    "array.converters.adc_full": 1e-5,
    "array.cell.conductances": [2e-6, 5e-6, 9e-6],
    "array.converters.dac_mismatch": 0.19,
    "array.converters.adc_mismatch": 0.19,
    "array.converters.input_slice_bits": 2,
    "array.series.isolation": "ideal",
    "write.r_select_off": 1e7,
    "write.v_compliance": 7.0,
}
"""Where a value near the default's would make no difference, or the rule of `other` has none."""


def other(path: KeyPath) -> Any:
    """A value unlike the default, or the card's where that is the default."""
    if dotted(path) in OTHERS:
        return OTHERS[dotted(path)]
    default, annotation = KEYS[path].default, KEYS[path].annotation
    if default is None:
        section, name = path[-2:]
        entry = getattr(getattr(load_periphery(), str(section)), str(name)).value
        return [0.9 * number for number in entry] if isinstance(entry, tuple) else 0.9 * entry
    if get_origin(annotation) is Literal:
        return next(one for one in get_args(annotation) if one != default)
    if isinstance(default, bool):
        return not default
    return default + 1 if isinstance(default, int) else 0.9 * default


# ---- probes --------------------------------------------------------------------------------------------------------

ARRAY: Content = {
    "seed": 5,
    "array": {"rows": 3, "columns": 4},
    "compare": {"draws": 2, "vectors": 20},
}
NETWORK: Content = {
    "seed": 5,
    "array": {"rows": 50, "columns": 14},
    "network": {
        "layers": [784, 10],
        "convolutions": [{"channels": 2, "kernel": 7, "stride": 7}],  # 49 x 2 and 32 x 10 weights
        "epochs": 1,
        "batch_size": 40,
    },
    "certificate": {"tiles": 0},
}
LEVELS = np.array([[0.33, 0.46, 0.49], [0.52, 0.54, 0.57]])


def images() -> Dataset:
    """Noise, which no network can learn."""
    random = np.random.default_rng(1)
    pictures = random.integers(0, 256, (120, 28, 28), dtype=np.uint8)
    labels = np.arange(120, dtype=np.uint8) % 10
    return Dataset(
        name="mnist",
        train_images=pictures[:80],
        train_labels=labels[:80],
        test_images=pictures[80:],
        test_labels=labels[80:],
    )


def setup_of(content: Content) -> Setup:
    """What a configuration says, keys that its architecture has no use for included."""
    return load_setup(content, demands=Demand.COMPARE)


def netlist(content: Content) -> Any:
    """The branches that `read` and `netlist` make of it."""
    setup = setup_of(content)
    states = drawn_states(setup)
    network = crossbar(states, setup.with_capacitances(), setup.mismatch(states.shape))
    return spice.netlist(network, np.full(network.n_inputs, setup.v_full), "", ())


def compare(content: Content) -> Any:
    """The row of its architecture in `compare`, with its encodings."""
    setup = setup_of(content)
    trial = all_trials(setup)[configured(setup)]
    found = run_trial(trial, setup.periphery)
    codes = np.random.default_rng(trial.seed).integers(0, 2**trial.dac_bits, (trial.vectors, trial.shape[0]))
    costs = [
        encoding_cost(
            encoding,
            trial.dac_bits,
            codes,
            found.power,
            trial.shape[1],
            setup.periphery,
            t_slot=found.settling + trial.t_read,
            amplifiers=amplifiers(trial.config, trial.shape),
            adc_bits=trial.adc_bits,
            turns=slots(trial.config, trial.shape[0]),
        )
        for encoding in Encoding
    ]
    return exact([found, costs])


def write(content: Content) -> Any:
    """What `write` does to six cells."""
    setup = setup_of(content)
    plan_ = writing(setup, hall_bar(setup.card), LEVELS.shape[1])
    solver = WriteSolver(*LEVELS.shape, plan_.config)
    plant = plan_.plant(solver, np.random.default_rng([setup.config.seed, 2]))
    return exact(plan_.outcome(LEVELS, plant, setup.config.seed))


def run(content: Content) -> Any:
    """What `run` finds, a point of a sweep, too: without what it repeats of the configuration."""
    setup = load_setup(content, demands=Demand.EVALUATE & ~Demand.SUPPLY)
    on_arrays, networks = build(setup, images(), SILENT, workers=1)
    folder = Path("netlists")
    found = results_of(examine(on_arrays, networks, write_plan(setup), folder, SILENT, workers=1))
    shown = ("accuracy", "energy_by_layer_j", "digital_energy_j", "area_by_layer_m2", "latency_s", "write")
    tiles = [tile.shape for tile in on_arrays.tiles]
    drawn = on_arrays.nonlinearity()
    return exact([{name: getattr(found, name) for name in shown}, tiles, drawn, found.solver.method])


def run_own(content: Content) -> Any:
    """What `run` finds of a network of one's own."""
    setup = load_setup(content)
    on_arrays, subject = build(setup, dataset_of(setup), SILENT, workers=1)
    found = results_of(examine(on_arrays, subject, None, Path("netlists"), SILENT, workers=1))
    return exact(
        [found.accuracy, found.energy_by_layer_j, found.network.modules, on_arrays.model.state_dict()]
    )


def train(content: Content) -> Any:
    """The weights that `train` finds."""
    try:
        networks = make_networks(setup_of(content), images(), SILENT, with_float=False)
    except ValueError as error:  # a graphics processor that is not there
        return str(error)
    trained = networks.level_network
    return exact([[layer.weights, layer.gain] for layer in trained.layers])


def data(content: Content) -> Any:
    """The inputs of the network."""
    return dataset_of(load_setup(content)).digest


def train_in_situ(content: Content) -> Any:
    """What `train` says of pulses into cells."""
    found: Any = training_command.train(content)
    return exact([[row.accuracy, row.pulses, row.energy_j] for row in found.in_situ])


def evaluate(content: Content) -> Any:
    """What `evaluate` says of the chips with all effects."""
    found = evaluation.evaluate(content)
    by_layer = [row.layers for row in found.points_lost_by_layer]
    return exact([found.rows[-1].accuracies, list(found.confusion.values())[-1], by_layer])


def certificate(content: Content) -> Any:
    """What `run` says of tiles that ngspice reads again."""
    on_arrays, _ = build(setup_of(content), images(), SILENT, workers=1)
    with scratch_folder() as folder:
        found = certificate_of(on_arrays, folder / "netlists", SILENT)
    return [found.tiles, [one.vectors for one in found.checked], found.passed, found.reason]


def select(content: Content) -> Any:
    """Whether `write` takes a transistor: in ngspice alone, which is not run here."""
    try:
        return write_array(content, LEVELS).engine.name
    except ValueError as error:
        return str(error)


def sweep(content: Content) -> Any:
    """The points that `sweep` plans."""
    found = plan(content, [], {}, None, None).points.values()
    return [(dict(one.inputs), one.seed, one.task.setup.config.certificate.tiles) for one in found]


@cache
def unchanged(probe: Probe, base: str) -> Any:
    """What a probe says of a base; `base` is its text, so that it can be remembered."""
    return probe(eval(base))


def changes(probe: Probe, base: Content, content: Content) -> bool:
    """Whether a probe says something else than of the base."""
    return bool(probe(content) != unchanged(probe, repr(base)))


@pytest.fixture(scope="module", autouse=True)
def _desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A working folder with cards, a cache of its own, few images, and no pages."""
    folder = tmp_path_factory.mktemp("desk")
    entry = "{value: %s, unit: %s, provenance: assumed, source: mine}"
    (folder / "periphery.yaml").write_text(
        f"name: mine\nbased_on: periphery_default\nwire: {{r_row: {entry % (2, 'ohm')}}}\n"
    )
    head = "description: mine\nbased_on: pt_ruo2_0p5\n"
    (folder / "short.yaml").write_text(f"name: mine\n{head}geometry: {{l_channel: {entry % (25, 'um')}}}\n")
    (folder / "leaky.yaml").write_text(f"name: mine\n{head}choices: {{retention: proportional}}\n")
    mine = images()
    arrays = {
        f"{part}_{what}": getattr(mine, f"{part}_{what}")
        for part in ("train", "test")
        for what in ("images", "labels")
    }
    np.savez(folder / "mine.npz", **arrays)
    head = "from torch import nn\n\n\ndef make(width=12):\n"
    (folder / "net.py").write_text(
        f"{head}    return nn.Sequential(nn.Flatten(), nn.Linear(784, width), nn.ReLU(), nn.Linear(width, 10))\n\n\n"
        "def swapped():\n    return make()[:2].append(nn.Tanh()).append(nn.Linear(12, 10))\n"
    )
    for name in ("net", "other"):
        net = nn.Sequential(nn.Flatten(), nn.Linear(784, 12), nn.ReLU(), nn.Linear(12, 10))
        torch.save(net.state_dict(), folder / f"{name}.pt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HALLSPICE_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        for module in (training_command, evaluation):
            patch.setattr(module, "dataset_of", lambda *_: images())
        patch.setattr(evaluation, "page_of", lambda *_: None)
        patch.setattr(evaluation, "_figures", lambda *_: {})
        patch.setattr(evaluation.results, "write", lambda _folder, found, **_: found)
        yield
    unchanged.cache_clear()


# ---- keys of the array and of the drivers of writing, in every architecture ----------------------------------------

ARRAYS: dict[str, Content] = {one.value: {"architecture": one.value} for one in Architecture}
ARRAYS["series_hall, ideal"] = {"architecture": "series_hall", "series": {"isolation": "ideal"}}

DRIVERS = [("write", name) for name in type(load_periphery().write).model_fields]
EVERYWHERE = {("array", "architecture"), ("array", "exact")}
TRIED = [path for path in KEYS if path[0] == "array" and path not in EVERYWHERE] + DRIVERS

ON_NETWORKS = {
    ("array", "calibration"),
    ("array", "converters", "quantile"),
    ("array", "converters", "adc_full"),
    ("array", "converters", "input_slice_bits"),
    ("array", "wire", "pitch"),
    ("array", "digital", "multiply_8bit"),
    ("array", "digital", "multiply_fp32"),
    ("array", "digital", "add_fp32"),
    *(path for path in KEYS if path[:2] == ("array", "area")),
    *(
        ("array", "converters", f"{converter}_{what}")
        for converter in ("dac", "adc")
        for what in ("mismatch", "ladder")
    ),
}
"""Read by the commands of networks alone, which refuse architectures that networks aren't evaluated on."""

NEEDS: dict[KeyPath, Content] = {
    ("array", "converters", "dac_ladder"): {"array": {"converters": {"dac_mismatch": 0.19}}},
    ("array", "converters", "adc_ladder"): {"array": {"converters": {"adc_mismatch": 0.19}}},
}
"""What else a configuration must say before a key can matter."""


def refusal(content: Content) -> str:
    """How a configuration is refused that `compare` would take; empty where it is not."""
    try:
        load_setup(content, demands=Demand.READ)
    except DocumentError as error:
        return str(error)
    return ""


def acts(path: KeyPath, base: Content, *, written: bool) -> bool:
    """Whether a key changes anything that a command says of an array, `write` included where it is `written`."""
    content = with_value(base, path, other(path))
    try:
        architecture = setup_of(content).array.architecture
    except DocumentError:  # two keys contradict each other
        return False
    probes = [write] if written and schemes(architecture) else []
    return any(changes(probe, base, content) for probe in (compare, netlist, *probes))


@pytest.mark.parametrize("name", ARRAYS)
def test_a_key_of_the_array_acts_or_is_refused(name: str) -> None:
    base = merged(ARRAY, {"array": ARRAYS[name]})
    wrong = []
    for path in TRIED:
        other_array = path == ("array", "series", "isolation") and name == "series_hall, ideal"
        if path in ON_NETWORKS or path[0] == "write" or other_array:
            continue
        said = refusal(with_value(base, path, other(path)))
        if acts(path, base, written=False) == bool(said):
            wrong.append(f"{dotted(path)}: {said or 'neither acts nor is refused'}")
    assert wrong == []


@pytest.mark.parametrize("name", [one.value for one in Architecture if schemes(one)])
def test_a_key_acts_on_writing_or_is_refused(name: str) -> None:
    """Drivers; and keys that act in a verify read alone, once a configuration says how the array is written."""
    base = merged(ARRAY, {"array": ARRAYS[name], "write": {"start": 0.9}})
    bare = {key: value for key, value in base.items() if key != "write"}
    idle = [path for path in TRIED if path[0] == "array" and refusal(with_value(bare, path, other(path)))]
    wrong = []
    for path in (*idle, *DRIVERS):
        said = refusal(with_value(base, path, other(path)))
        if acts(path, base, written=True) == bool(said):
            wrong.append(f"{dotted(path)}: {said or 'neither acts nor is refused'}")
    assert wrong == []


QUICK = [one for one in Architecture if one.output_unit == "A"]
"""The others solve larger networks, or one for each row."""


@pytest.mark.parametrize("architecture", Architecture)
def test_keys_that_commands_of_networks_read_act_there_alone(architecture: Architecture) -> None:
    """These commands refuse the other architectures, not the key."""
    chosen = {"array": {"architecture": architecture.value}}
    wrong = []
    for path in sorted(ON_NETWORKS):
        base, array = (merged(merged(one, chosen), NEEDS.get(path, {})) for one in (NETWORK, ARRAY))
        content = with_value(base, path, other(path))
        if refusal(content) or acts(path, array, written=True):
            wrong.append(f"{dotted(path)} is refused, or acts without a network")
        elif architecture in QUICK and not changes(run, base, content):
            wrong.append(f"{dotted(path)} has no effect")
    assert wrong == []


# ---- all other keys ------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Shown:
    """What shows that a key acts: a probe that says something else with a value, and what it needs beside it."""

    probe: Probe
    value: Any
    base: Content = dataclasses.field(default_factory=dict)


def updated(*updates: str) -> Content:
    """A network that is trained in situ."""
    return {
        "network": {
            "layers": [784, 10],
            "epochs": 1,
            "batch_size": 20,
            "in_situ": {"updates": [*updates], "steps": 8},
        }
    }


def compared(name: Architecture) -> dict[str, Shown]:
    """Keys of `compare` for one architecture."""
    values: Content = {"draws": 3}
    values |= {"mismatch": 0.01} if name.hall else {}
    values |= {"cmrr_db": 40.0, "random_rejection": True} if name.amplified else {}
    base = merged(ARRAY, {"array": {"architecture": name.value}})
    return {f"compare.{name}.{key}": Shown(compare, value, base) for key, value in values.items()}


RESISTIVE = {"array": {"architecture": "resistive"}}
CERTIFIED = {**NETWORK, "certificate": {"tiles": 1, "vectors": 1}}
CHIPS = merged(NETWORK, {"variation": {"chips": 1}})
NOISY = merged(CHIPS, {"variation": {"read_noise": 0.5}})
SWEPT = {"sweep": {"set": {"array.converters.adc_bits": [4, 6]}}}

OWN = {
    "seed": 5,
    "array": {"rows": 50, "columns": 14},
    "network": {"dataset": "mine.npz", "module": "net.py:make", "weights": "net.pt"},
    "certificate": {"tiles": 0},
}
OWN_LAYER = merged(OWN, {"layers": {"1": {"bits": 5}}})

SHOWN: dict[str, Shown] = {
    "seed": Shown(netlist, 6, ARRAY),
    "device.card": Shown(netlist, "short.yaml", ARRAY),
    "device.levels": Shown(netlist, "model", ARRAY),
    "device.ladder": Shown(write, "inverse", {"write": {"algorithm": "ladder"}}),
    "device.reset": Shown(write, "pulse"),
    "array.architecture": Shown(netlist, "active_series", ARRAY),
    "array.exact": Shown(run, True, NETWORK),
    "network.dataset": Shown(data, "mnist", {"network": {"dataset": "mine.npz", "layers": [784, 10]}}),
    "network.inputs": Shown(data, "standardised", {"network": {"dataset": "mine.npz", "layers": [784, 10]}}),
    "network.layers": Shown(train, [784, 20, 10], NETWORK),
    "network.convolutions": Shown(train, [], NETWORK),
    "network.convolutions[0].channels": Shown(train, 3, NETWORK),
    "network.convolutions[0].kernel": Shown(train, 6, NETWORK),
    "network.convolutions[0].stride": Shown(train, 3, NETWORK),
    "network.convolutions[0].padding": Shown(train, 2, NETWORK),
    "network.convolutions[0].pool": Shown(train, 2, NETWORK),
    "network.module": Shown(run_own, "net.py:swapped", OWN),
    "network.weights": Shown(run_own, "other.pt", OWN),
    "layers": Shown(run_own, {"*": {"bits": 2}}, OWN),
    "layers.1.tile": Shown(run_own, [20, 20], OWN_LAYER),
    "layers.1.bits": Shown(run_own, 2, OWN_LAYER),
    "layers.1.weight_slices": Shown(run_own, [1, 2], OWN_LAYER),
    "layers.1.input_slice_bits": Shown(run_own, 2, OWN_LAYER),
    "layers.1.scheme": Shown(run_own, "differential", OWN_LAYER),
    "layers.1.levels": Shown(run_own, [0, 5], OWN_LAYER),
    "layers.1.digital": Shown(run_own, True, merged(OWN, {"layers": {"1": {}}})),
    "network.scheme": Shown(train, "differential", NETWORK),
    "network.r_reference": Shown(train, 0.5, NETWORK),
    "network.weight_slices": Shown(run, [1, 3], NETWORK),
    "network.weight_noise": Shown(train, 0.1, NETWORK),
    "network.circuit_epochs": Shown(train, 1, NETWORK),
    "network.recipe": Shown(train, "paper", NETWORK),
    "network.epochs": Shown(train, 2, NETWORK),
    "network.batch_size": Shown(train, 20, NETWORK),
    "network.products": Shown(train, "bfloat16", NETWORK),
    "network.device": Shown(train, "cuda", NETWORK),
    "network.in_situ.updates": Shown(train_in_situ, ["ladder"], updated("ideal")),
    "network.in_situ.steps": Shown(train_in_situ, 5, updated("ladder")),
    "network.in_situ.pulse_share": Shown(train_in_situ, 0.4, updated("identical")),
    "network.in_situ.learning_rate": Shown(train_in_situ, 100.0, updated("ladder")),
    "network.in_situ.device_spread": Shown(train_in_situ, 0.3, updated("ladder")),
    "network.in_situ.cycle_noise": Shown(train_in_situ, 0.3, updated("ladder")),
    "variation.chips": Shown(evaluate, 2, NOISY),
    "variation.spread_of_window": Shown(evaluate, 0.5, CHIPS),
    "variation.spread_of_r": Shown(evaluate, 0.5, CHIPS),
    "variation.read_noise": Shown(evaluate, 0.5, CHIPS),
    "variation.stuck_low": Shown(evaluate, 0.5, CHIPS),
    "variation.stuck_high": Shown(evaluate, 0.5, CHIPS),
    "variation.drift": Shown(evaluate, 0.5, CHIPS),
    "variation.relaxation": Shown(evaluate, 0.8, CHIPS),
    "variation.t_retention": Shown(evaluate, "100 year", merged(CHIPS, {"device": {"card": "leaky.yaml"}})),
    "variation.temperature": Shown(evaluate, 450.0, CHIPS),
    "variation.by_layer": Shown(evaluate, True, NOISY),
    "variation.recalibrate": Shown(evaluate, "outputs", merged(CHIPS, {"variation": {"drift": 0.5}})),
    "certificate.tiles": Shown(certificate, 2, CERTIFIED),
    "certificate.vectors": Shown(certificate, 2, CERTIFIED),
    "certificate.tolerance": Shown(certificate, 1e-30, CERTIFIED),
    "certificate.longest": Shown(certificate, 1e-9, CERTIFIED),
    "write.states": Shown(run, "programmed", NETWORK),
    "write.scheme": Shown(write, "third_v", RESISTIVE),
    "write.order": Shown(write, "row", RESISTIVE),
    "write.algorithm": Shown(write, "ladder"),
    "write.step_law": Shown(write, "constant"),
    "write.tolerance": Shown(write, 2e-3),
    "write.i_step": Shown(write, 5e-4, {"write": {"step_law": "constant"}}),
    "write.start": Shown(write, 0.8),
    "write.max_pulses": Shown(write, 1),
    "write.retries": Shown(write, 0, {"write": {"start": 1.2}}),
    "write.compensated": Shown(write, False),
    "write.select": Shown(select, "mosfet"),
    "write.faults.device_spread": Shown(write, 0.1),
    "write.faults.cycle_noise": Shown(write, 0.1),
    "write.faults.stuck": Shown(write, 0.5),
    "write.faults.open_rows": Shown(write, [1]),
    "write.faults.open_columns": Shown(write, [1]),
    "write.faults.short_rows": Shown(write, [1]),
    "write.faults.short_columns": Shown(write, [1]),
    "compare.draws": Shown(compare, 3, ARRAY),
    "compare.vectors": Shown(compare, 30, ARRAY),
    "compare.t_calibration": Shown(compare, 2.0, ARRAY),
    **{key: shown for name in Architecture for key, shown in compared(name).items()},
    "sweep.set": Shown(sweep, {"array.converters.adc_bits": [3, 5]}, SWEPT),
    "sweep.design": Shown(sweep, "random", {"sweep": {"set": {"array.rows": [8, 16, 32, 64]}}}),
    "sweep.points": Shown(
        sweep, 4, {"sweep": {"design": "random", "points": 2, "set": {"array.wire.r_row": "1..2"}}}
    ),
    "sweep.seeds": Shown(sweep, 2, SWEPT),
    "sweep.certify": Shown(sweep, "none", SWEPT),
}
"""By key: all that no architecture decides about."""


def test_no_key_is_left_out() -> None:
    assert {dotted(path) for path in KEYS} == {*SHOWN, *map(dotted, TRIED)}
    assert len(SHOWN) + len(TRIED) == len(KEYS) > 140
    assert all(any(key[: len(path)] == path for key in KEYS) for path in USES)
    assert set(SWITCHES) <= set(KEYS)
    assert {switch.by for switch in SWITCHES.values()} <= set(KEYS)


def test_the_entries_of_a_periphery_card_are_keys() -> None:
    sections = {name: info.annotation for name, info in PeripheryCard.model_fields.items()}
    entries = [
        ("write", name) if section == "write" else ("array", section, name)
        for section, model in sections.items()
        if isinstance(model, type) and issubclass(model, BaseModel)
        for name in model.model_fields
    ]
    assert len(entries) > 35
    assert set(entries) <= set(TRIED)


@pytest.mark.parametrize("path", [path for path in SWITCHES if path[0] == "write"], ids=dotted)
def test_a_key_of_writing_that_is_switched_off_changes_nothing(path: KeyPath) -> None:
    scheme = merged(RESISTIVE, {"write": {"scheme": "half_v"}})
    base: Content = scheme if path in DRIVERS else {"write": {"algorithm": "ladder"}}
    content = with_value(base, path, other(path))
    assert refusal(content)
    assert not changes(write, base, content)


def test_every_choice_of_what_a_sweep_certifies() -> None:
    tiles = {
        choice: [point[2] for point in sweep(with_value(SWEPT, ("sweep", "certify"), choice))]
        for choice in get_args(KEYS["sweep", "certify"].annotation)
    }
    assert tiles == {"first": [4, 0], "none": [0, 0], "all": [4, 4]}


@pytest.mark.parametrize("key", SHOWN)
def test_a_key_changes_a_result(key: str) -> None:
    shown = SHOWN[key]
    path = next(path for path in KEYS if dotted(path) == key)
    assert changes(shown.probe, shown.base, with_value(shown.base, path, shown.value))
