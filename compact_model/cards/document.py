"""YAML documents whose every value knows its line and column, checked against a pydantic model."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeGuard, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from compact_model.cards.inputs import read_bytes

KeyPath = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

MAX_BYTES = 4_000_000
MAX_TABLE_BYTES = 200_000_000
MAX_DEPTH = 50

_INT = re.compile(r"[+-]?\d+", re.ASCII)
_FLOAT = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SPECIAL = {
    "": None,
    "~": None,
    "null": None,
    "true": True,
    "false": False,
    ".nan": math.nan,
    ".inf": math.inf,
    "-.inf": -math.inf,
}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Line and column, counted from one."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong in a file: where, which key, what, and what would be right."""

    file: str
    place: Place | None
    key: str
    what: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.place.line}:{self.place.column}" if self.place else self.file
        return f"{where} {self.key}: {self.what}" if self.key else f"{where}: {self.what}"


class DocumentError(ValueError):
    """A file that can't be used; carries every mistake found in it, in the order of the lines."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda m: (m.file, m.place or Place(0, 0), m.key)))
        super().__init__("\n".join(map(str, self.mistakes)))


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed YAML file: plain data, and the place of each key and value."""

    name: str
    data: Any
    key_places: dict[KeyPath, Place] = field(default_factory=dict)
    value_places: dict[KeyPath, Place] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()
    origins: dict[KeyPath, str] = field(default_factory=dict)
    """Values that don't stand in the file: what put them there."""

    def source(self, path: KeyPath) -> str:
        """Where the value at `path` comes from: ``FILE:LINE``, or what stands in its place.

        Examples
        --------
        >>> parse_document("a: {b: 1}", "folder/x.yaml").source(("a", "b"))
        'x.yaml:1'
        """
        for end in range(len(path), 0, -1):
            if path[:end] in self.origins:
                return self.origins[path[:end]]
            if place := self.value_places.get(path[:end]):
                return f"{Path(self.name).name}:{place.line}"
        return Path(self.name).name

    def mistake(self, path: KeyPath, what: str, *, at_key: bool = False) -> Mistake:
        """A mistake at `path`, located at the nearest thing that stands in the file."""
        first, second = (
            (self.key_places, self.value_places) if at_key else (self.value_places, self.key_places)
        )
        place = None
        for end in range(len(path), -1, -1):
            place = first.get(path[:end]) or second.get(path[:end])
            if place:
                break
        return Mistake(self.name, place, dotted(path), what)


def dotted(path: KeyPath) -> str:
    """A key path as people write it.

    >>> dotted(("network", "layers", 0))
    'network.layers[0]'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read_content(path: str | Path, limit: int = MAX_BYTES) -> bytes:
    """Content of a file of at most `limit` bytes; DocumentError when it can't be read, or is longer."""
    name = str(path)
    try:
        raw = read_bytes(path, limit)
    except FileNotFoundError:
        raise DocumentError([Mistake(name, None, "", "no such file")]) from None
    except OSError as error:
        raise DocumentError([Mistake(name, None, "", f"cannot be read: {error.strerror or error}")]) from None
    except ValueError as error:  # a NUL in the name
        raise DocumentError([Mistake(name, None, "", f"cannot be read: {error}")]) from None
    if len(raw) > limit:
        raise DocumentError([Mistake(name, None, "", f"is longer than {limit} bytes")])
    return raw


def read_text(path: str | Path, limit: int = MAX_BYTES) -> str:
    """Text of a UTF-8 file of at most `limit` bytes; DocumentError otherwise."""
    raw = read_content(path, limit)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DocumentError([Mistake(str(path), Place(line, 1), "", "is not UTF-8 text")]) from None


def read_document(path: str | Path) -> Document:
    """Read a YAML file; DocumentError when it can't be read or is no YAML at all."""
    return parse_document(read_text(path), str(path))


@cache
def _shipped_document(path: Path) -> Document:
    return read_document(path)


def parse_document(text: str, name: str) -> Document:
    """Parse YAML text.

    Plain scalars follow YAML 1.2: ``1e11`` is a number, ``on`` and ``yes`` are strings. Repeated keys become
    mistakes of the document (reported with the rest); aliases and tags are refused.

    Examples
    --------
    >>> parse_document("a: 1e11", "x.yaml").data
    {'a': 100000000000.0}
    """
    try:
        node = yaml.compose(text, Loader=_Composer)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else None
        what = f"is not valid YAML: {error.problem or error.context}"
        raise DocumentError([Mistake(name, place, "", what)]) from None
    except yaml.YAMLError as error:
        raise DocumentError(
            [Mistake(name, None, "", f"is not valid YAML: {error}".splitlines()[0])]
        ) from None
    except RecursionError:
        raise DocumentError([Mistake(name, None, "", "is nested too deeply")]) from None
    if node is None:
        raise DocumentError([Mistake(name, None, "", "is empty")])
    builder = _Builder(name)
    data = builder.build(node, ())
    return Document(name, data, builder.key_places, builder.value_places, tuple(builder.mistakes))


class _Composer(yaml.SafeLoader):
    """SafeLoader that refuses aliases: they make one place in the file stand for many values."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(
                None, None, "aliases (*name) are not supported, write the value out", event.start_mark
            )
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


class _Builder:
    def __init__(self, name: str) -> None:
        self.name = name
        self.key_places: dict[KeyPath, Place] = {}
        self.value_places: dict[KeyPath, Place] = {}
        self.mistakes: list[Mistake] = []

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        self.value_places[path] = _place(node)
        if len(path) > MAX_DEPTH:
            self._wrong(node, path, f"is nested deeper than {MAX_DEPTH} levels")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._wrong(key_node, path, "a key must be a word")
                continue
            key = str(key_node.value)
            key_path = (*path, key)
            if key in data:
                first = self.key_places[key_path]
                self._wrong(key_node, key_path, f"repeated key, first given in line {first.line}; keep one")
                continue
            self.key_places[key_path] = _place(key_node)
            data[key] = self.build(value_node, key_path)
        return data

    def _scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        text = str(node.value)
        if node.tag.startswith("tag:yaml.org,2002:python") or node.tag.startswith("!"):
            self._wrong(node, path, f"the tag {node.tag} is not supported")
            return None
        if isinstance(node, yaml.ScalarNode) and node.style in ("'", '"', "|", ">"):
            return text
        if text.lower() in _SPECIAL and (text == text.lower() or text.lower() in ("true", "false", "null")):
            return _SPECIAL[text.lower()]
        if _INT.fullmatch(text) and len(text) < 30:
            return int(text)
        return float(text) if _FLOAT.fullmatch(text) else text

    def _wrong(self, node: yaml.Node, path: KeyPath, what: str) -> None:
        self.mistakes.append(Mistake(self.name, _place(node), dotted(path), what))


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def validate(document: Document, model: type[Model]) -> Model:
    """Check a document against a pydantic model; DocumentError with all mistakes otherwise."""
    checked, mistakes, _ = validate_leniently(document, model)
    if checked is None or mistakes:
        raise DocumentError(mistakes)
    return checked


def load_model(path: str | Path, model: type[Model]) -> Model:
    """Read a YAML file as a pydantic model; DocumentError with all mistakes otherwise."""
    return validate(read_document(path), model)


def load_overlaid(path: str | Path | None, shipped: Path, model: type[Model]) -> Model:
    """Read a card file; None means the shipped one.

    A file with the key ``based_on`` (the shipped card's name) states only what differs from the shipped card.
    """
    if path is None:
        checked: Model = _shipped_model(shipped, model)
        return checked
    document = read_document(path)
    if isinstance(document.data, dict) and document.data.get("based_on") == shipped.stem:
        merged = _overlaid(_shipped_document(shipped).data, document.data)
        document = dataclasses.replace(document, data=merged)
    return validate(document, model)


@cache
def _shipped_model(path: Path, model: type[Model]) -> Model:
    return validate(_shipped_document(path), model)


def _overlaid(base: Any, top: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(top, dict)):
        return top
    return {**base, **{key: _overlaid(base.get(key), item) for key, item in top.items()}}


def validate_leniently(
    document: Document, model: type[Model]
) -> tuple[Model | None, list[Mistake], frozenset[KeyPath]]:
    """Check a document, and go on without its wrong keys.

    Returns
    -------
    checked
        The model made of the keys that are right (defaults elsewhere); None when that is impossible.
    mistakes
        Everything found wrong, repeated keys included.
    wrong
        Paths of the keys left out, so that checks between keys can pass over them.
    """
    mistakes = list(document.mistakes)
    if not isinstance(document.data, dict):
        what = f"expected keys with values, got {_type_name(document.data)}"
        return None, [*mistakes, document.mistake((), what)], frozenset()
    data = document.data
    wrong: set[KeyPath] = set()
    absent: set[KeyPath] = set()  # what is known to be missing, or was left out: said once
    for _ in range(MAX_DEPTH):  # each round removes at least one key, or ends
        try:
            return model.model_validate(data), mistakes, frozenset(wrong)
        except ValidationError as error:
            found = [(_path_in(data, details["loc"]), details) for details in error.errors()]
        mistakes += [
            _located(document, model, path, details)
            for path, details in found
            if details["type"] != "missing" or (*path, details["loc"][-1]) not in absent
        ]
        absent |= {(*path, details["loc"][-1]) for path, details in found if details["type"] == "missing"}
        removable = {_whole_list(path) for path, details in found if details["type"] != "missing"} - {()}
        if not removable:
            return None, mistakes, frozenset(wrong)
        wrong |= removable
        absent |= removable
        data = _without(data, removable)
    return None, mistakes, frozenset(wrong)


def _path_in(data: Any, loc: tuple[str | int, ...]) -> KeyPath:
    """The part of a pydantic error location that is in the data (union tags and the like are not)."""
    path: list[str | int] = []
    for part in loc:
        if isinstance(data, dict) and part in data:
            data = data[str(part)]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            continue
        path.append(part)
    return tuple(path)


def _whole_list(path: KeyPath) -> KeyPath:
    """Cut a path at its first list index: a list with a wrong item is left out as a whole."""
    end = next((i for i, part in enumerate(path) if isinstance(part, int)), len(path))
    return path[:end]


def _without(data: Any, paths: set[KeyPath], here: KeyPath = ()) -> Any:
    if isinstance(data, dict):
        return {k: _without(v, paths, (*here, k)) for k, v in data.items() if (*here, k) not in paths}
    return data


def _located(document: Document, model: type[BaseModel], path: KeyPath, details: ErrorDetails) -> Mistake:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        models = _models_at(model, path[:-1])
        moved = [getattr(one, "moved", {}).get(path[-1]) for one in models]
        if any(moved):
            return document.mistake(path, *filter(None, moved), at_key=True)
        allowed = sorted({name for current in models for name in current.model_fields})
        near = difflib.get_close_matches(str(path[-1]), allowed, n=1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        keys = f" Allowed: {', '.join(allowed)}" if allowed else ", none is allowed here"
        return document.mistake(path, f"unknown key{hint}{keys}", at_key=True)
    if kind == "missing":
        return document.mistake((*path, str(details["loc"][-1])), "is missing")
    value = details["input"]
    if kind == "quantity":
        return document.mistake(path, details["msg"])
    if kind in ("literal_error", "enum"):
        return document.mistake(path, f"{value!r} is not known, allowed: {context['expected']}")
    bounds = {"greater_than": ">", "greater_than_equal": ">=", "less_than": "<", "less_than_equal": "<="}
    if kind in bounds:
        limit = next(iter(context.values()))
        return document.mistake(path, f"{value!r} is out of range, allowed: {bounds[kind]} {limit}")
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return document.mistake(path, f"expected keys with values, got {_type_name(value)}")
    message = details["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if details["msg"].startswith("Input should be "):
        shown = _type_name(value) if isinstance(value, (dict, list)) else repr(value)
        return document.mistake(path, f"expected {message}, got {shown}")
    return document.mistake(path, message)


def _models_at(model: type[BaseModel], path: KeyPath) -> list[type[BaseModel]]:
    """The models that say which keys may stand at `path`; their `moved`, where they have one, which no longer may."""
    kinds: list[Any] = [model]
    for part in path:
        kinds = [inner for kind in kinds for inner in _inside(kind, part)]
    return [kind for kind in kinds if _is_model(kind)]


def _inside(kind: Any, part: str | int) -> Iterator[Any]:
    """What may stand at a key or place of a value of a kind: the members of unions one by one."""
    if _is_model(kind):
        info = kind.model_fields.get(str(part))
        found = [info.annotation] if info else []
    else:  # a list, a tuple, or a dict with the kind of its keys
        found = list(get_args(kind))
    for one in found:
        yield from _alternatives(one)


def _alternatives(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for one in get_args(annotation):
            yield from _alternatives(one)
    else:
        yield annotation


def _is_model(kind: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _type_name(value: object) -> str:
    names: dict[type, str] = {dict: "keys with values", list: "a list", str: "text", type(None): "nothing"}
    return names.get(type(value), repr(value))
