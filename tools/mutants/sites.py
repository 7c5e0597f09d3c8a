"""The places of the sources that can be mutated, found in the syntax tree and changed in the text.

Left out: annotations, decorators, ``raise`` statements and what feeds only them or a log message, the insides of
f-strings (Python 3.11 gives them no position), ``if TYPE_CHECKING``, ``__repr__``, the ``strict`` of ``zip`` (a check
for a mistake of the caller, which no caller makes), tolerances of numerical methods (twice as exact is as right), the
order of several axes that are reduced, and a length that is left to be found (the -1 of ``reshape`` and ``view``).
Numbers of axes are indices, by keyword or not: the negative of one may name the same axis.
The boundary of a comparison is moved where it is a number or a count: computed floating-point numbers never meet.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ARITHMETIC = {
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*",),
    "//": ("/", "*"),
    "%": ("//", "*"),
    "**": ("*",),
    "@": ("*",),
}
COMPARISON = {
    "<": (">=",),
    "<=": (">",),
    ">": ("<=",),
    ">=": ("<",),
    "==": ("!=",),
    "!=": ("==",),
    "and": ("or",),
    "or": ("and",),
}
BOUNDARY = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_SYMBOLS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.MatMult: "@",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.And: "and",
    ast.Or: "or",
}
_LOGS = {"debug", "info", "warning", "error", "exception", "critical", "log", "warn"}
_LOGGERS = {"log", "logger", "logging", "warnings"}
_AXES = {"axis", "axes", "dim"}
_OF_AXES = {"flatten", "permute", "squeeze", "swapaxes", "transpose", "unflatten", "unsqueeze"}
"""Methods whose numbers are axes."""
_OF_LENGTHS = {"expand", "reshape", "unflatten", "view"}
"""Methods in which -1 is no number."""
_TOLERANCES = {"rtol", "atol", "ftol", "gtol", "xtol", "tol"}
_COUNTS = re.compile(r"len\(|\.size\b|\.shape\b|\.ndim\b|\bcount\b|\bnumber\b")
_TYPES = re.compile(r"dict|list|tuple|set|frozenset|type|[A-Z]\w*[a-z]\w*")
_AROUND = 24
"""Characters beside an operator that `before` and `after` show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change of one place."""

    file: str
    line: int
    column: int
    kind: str
    before: str
    after: str
    text: str
    """The source line without its indentation: with `before` and `after` it names the mutant when lines have moved."""
    start: int
    end: int
    """Bytes of the file that are replaced."""
    new: str
    span: tuple[int, int]
    """Lines of the statement, or of the function whose default it is: a test that executes one may see the change."""
    wide: bool
    """Whether it runs at import or is kept by a cache, so that coverage does not know all tests that depend on it."""
    names: tuple[str, ...]
    """What it gives a value to."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column} {self.kind}  {self.before} -> {self.after}"

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names it when lines have moved."""
        return self.file, self.text, self.before, self.after

    def applied(self, source: bytes) -> bytes:
        """The changed source of the file."""
        return source[: self.start] + self.new.encode() + source[self.end :]


def find_sites(root: Path, file: str) -> list[list[Mutant]]:
    """The sites of a file in order, each with its alternatives."""
    finder = _Finder(file, (root / file).read_text(encoding="utf-8"))
    finder.visit(finder.tree)
    seen: Counter[tuple[str, ...]] = Counter()
    sites = []
    for site in sorted(finder.sites, key=lambda site: (site[0].start, site[0].end)):
        numbered = []
        for mutant in site:
            seen[mutant.key] += 1
            again = f" (#{seen[mutant.key]})" if seen[mutant.key] > 1 else ""
            numbered.append(replace(mutant, before=mutant.before + again))
        sites.append(numbered)
    return sites


def given(root: Path, file: str, line: int, before: str, after: str) -> Mutant:
    """The mutant that replaces a text by another one in a line."""
    source = _Source((root / file).read_text(encoding="utf-8"))
    text = source.lines[line - 1]
    if text.count(before) != 1:
        raise ValueError(
            f"{file}:{line}: {before!r} must stand there once, found {text.count(before)} times: {text}"
        )
    column = text.index(before)
    start = source.starts[line - 1] + len(text[:column].encode())
    return source.mutant(file, "given", start, start + len(before.encode()), after, before, after)


class _Source:
    """A source text, its tree and its tokens, by byte."""

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self.data = text.encode()
        self.lines = text.splitlines()
        self.starts = [0]
        for line in text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line.encode()))
        self.statements = [node for node in ast.walk(self.tree) if isinstance(node, ast.stmt)]
        self.tokens = [
            (self._byte(*token.start), token.string)
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type in (tokenize.OP, tokenize.NAME)
        ]
        self._places: dict[int, tuple[tuple[int, int], bool, tuple[str, ...]]] = {}

    def _byte(self, line: int, column: int) -> int:
        return self.starts[line - 1] + len(self.lines[line - 1][:column].encode())

    def begin(self, node: Any) -> int:
        return int(self.starts[node.lineno - 1] + node.col_offset)

    def finish(self, node: Any) -> int:
        return int(self.starts[node.end_lineno - 1] + node.end_col_offset)

    def part(self, start: int, end: int) -> str:
        return self.data[start:end].decode(errors="ignore")

    def token(self, symbol: str, start: int, end: int) -> int | None:
        """Where the symbol stands between two operands."""
        return next((at for at, text in self.tokens if start <= at < end and text == symbol), None)

    def mutant(self, file: str, kind: str, start: int, end: int, new: str, before: str, after: str) -> Mutant:
        line = self.data[:start].count(b"\n") + 1
        if line not in self._places:
            self._places[line] = self._place(line)
        span, wide, names = self._places[line]
        return Mutant(
            file=file,
            line=line,
            column=len(self.part(self.starts[line - 1], start)) + 1,
            kind=kind,
            before=" ".join(before.split()),
            after=" ".join(after.split()),
            text=self.lines[line - 1].strip(),
            start=start,
            end=end,
            new=new,
            span=span,
            wide=wide,
            names=names,
        )

    def _place(self, line: int) -> tuple[tuple[int, int], bool, tuple[str, ...]]:
        """Lines, `wide` and names of the statement at a line."""
        around = [node for node in self.statements if node.lineno <= line <= (node.end_lineno or 0)]
        around.sort(key=lambda node: (node.lineno, -(node.end_lineno or 0)))
        inner = around[-1]
        functions = [node for node in around if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        in_body = any(node.body[0].lineno <= line for node in functions)
        cached = any("cache" in ast.unparse(mark) for node in functions for mark in node.decorator_list)
        span = (inner.lineno, inner.end_lineno or inner.lineno)
        if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and getattr(inner, "body", None):
            span = (inner.lineno, max(inner.lineno, inner.body[0].lineno - 1))  # type: ignore[attr-defined]
        targets = getattr(inner, "targets", None) or [getattr(inner, "target", None)]
        names = [
            node.id for target in targets if target for node in ast.walk(target) if isinstance(node, ast.Name)
        ]
        names += [node.name for node in reversed(around) if hasattr(node, "name")]
        return span, not in_body or cached, tuple(names)


class _Finder(ast.NodeVisitor):
    """Collects the sites of a file."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.source = _Source(text)
        self.tree = self.source.tree
        self.sites: list[list[Mutant]] = []
        self._left_out: set[ast.AST] = set()

    def visit(self, node: ast.AST) -> None:
        """Visit what can be mutated."""
        if not _is_told(node) and node not in self._left_out:
            super().visit(node)

    # --- what is left out ---

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Defaults and body, without annotations and decorators."""
        if node.name == "__repr__":
            return
        self._left_out |= set(_feeding_messages(node))
        self._visit_all([*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body])

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Keywords and body, without decorators."""
        self._visit_all([*node.keywords, *node.body])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """The value, without the annotation."""
        self._visit_all(filter(None, [node.target, node.value]))

    def visit_If(self, node: ast.If) -> None:
        """All but what only a type checker reads."""
        if "TYPE_CHECKING" in ast.unparse(node.test):
            self._visit_all(node.orelse)
        else:
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """All but the `strict` of `zip`, tolerances, and lengths that are left to be found; axes are indices."""
        is_zip = isinstance(node.func, ast.Name) and node.func.id == "zip"
        skipped = {*_TOLERANCES, "strict"} if is_zip else _TOLERANCES
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        self.visit(node.func)
        for one in node.args:
            if method in _OF_LENGTHS:
                parts = one.elts if isinstance(one, ast.Tuple) else [one]
                self._left_out |= {part for part in parts if _number(part) == -1}
            self._index(one) if method in _OF_AXES and _number(one) is not None else self.visit(one)
        self._visit_all(one for one in node.keywords if one.arg not in skipped)

    # --- arithmetic and comparison ---

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Another operator; not between texts."""
        symbol = _SYMBOLS.get(type(node.op), "")
        if symbol in ARITHMETIC and not _is_text(node):
            self._operator("arithmetic", node, node.left, node.right, symbol, ARITHMETIC[symbol])
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """Another operator; not between texts."""
        symbol = _SYMBOLS.get(type(node.op), "")
        if symbol in ARITHMETIC and not _is_text(node.value):
            others = [f"{other}=" for other in ARITHMETIC[symbol]]
            self._operator("arithmetic", node, node.target, node.value, f"{symbol}=", others)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """No minus, no `not`; the sign of a number belongs to the number."""
        if isinstance(node.op, ast.USub) and _number(node) is not None:
            self._constant(node, "constant")
            return
        if isinstance(node.op, ast.USub | ast.Not):
            begin, operand = self.source.begin(node), self.source.begin(node.operand)
            kept = self.source.part(begin, operand).replace("-", "").replace("not", "").lstrip()
            before, after = self._shown(node, begin, operand, kept)
            kind = "arithmetic" if isinstance(node.op, ast.USub) else "comparison"
            self._add(kind, [(begin, operand, kept, before, after)])
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        """Boundary and direction of each comparison."""
        operands = [node.left, *node.comparators]
        for left, right, operator in zip(operands, operands[1:], node.ops, strict=False):
            symbol = _SYMBOLS.get(type(operator), "")
            if symbol in COMPARISON:
                others = COMPARISON[symbol]
                if symbol in BOUNDARY and (_is_exact(left) or _is_exact(right)):
                    others = (*others, BOUNDARY[symbol])
                self._operator("comparison", node, left, right, symbol, others)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """`and` and `or`, one at a time."""
        symbol = _SYMBOLS[type(node.op)]
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._operator("comparison", node, left, right, symbol, COMPARISON[symbol])
        self.generic_visit(node)

    # --- constants and indices ---

    def visit_Constant(self, node: ast.Constant) -> None:
        """A number, True or False."""
        self._constant(node, "constant")

    def visit_keyword(self, node: ast.keyword) -> None:
        """An axis is an index; several are reduced in any order."""
        if node.arg in ("axis", "dim") and isinstance(node.value, ast.Tuple):
            for one in node.value.elts:
                self._index(one)
        else:
            self._index(node.value) if node.arg in _AXES else self.visit(node.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """Numbers, bounds and the order of an index."""
        self.visit(node.value)
        name = ast.unparse(node.value).split(".")[-1]
        if _TYPES.fullmatch(name):
            self.visit(node.slice)
        else:
            self._index(node.slice)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """No transposition."""
        if node.attr == "T" and isinstance(node.ctx, ast.Load):
            end = self.source.finish(node)
            dot = self.source.data.rfind(b".", self.source.finish(node.value), end)
            self._add("index", [(dot, end, "", *self._shown(node, dot, end, ""))])
        self.generic_visit(node)

    def _index(self, node: ast.expr) -> None:
        if isinstance(node, ast.Tuple):
            if len(node.elts) > 1:
                self._swap(node.elts[0], node.elts[1])
            for one in node.elts:
                self._index(one)
        elif isinstance(node, ast.Slice):
            for bound in filter(None, (node.lower, node.upper)):
                if _number(bound) is None and not (isinstance(bound, ast.Constant) and bound.value is None):
                    start, end = self.source.begin(bound), self.source.finish(bound)
                    text = self.source.part(start, end)
                    self._add(
                        "index",
                        [(start, end, f"({text}) {by}", text, f"{text} {by}") for by in ("+ 1", "- 1")],
                    )
                self._index(bound)
            if node.step is not None and _number(node.step) is not None:
                self._constant(node.step, "step")
        elif _number(node) is not None:
            self._constant(node, "index")
        else:
            self.visit(node)

    def _swap(self, first: ast.expr, second: ast.expr) -> None:
        """[i, j] to [j, i]."""
        source = self.source
        start, end = source.begin(first), source.finish(second)
        one, between, two = (
            source.part(start, source.finish(first)),
            source.part(source.finish(first), source.begin(second)),
            source.part(source.begin(second), end),
        )
        if one != two:
            swapped = two + between + one
            self._add("index", [(start, end, swapped, f"[{source.part(start, end)}]", f"[{swapped}]")])

    def _constant(self, node: ast.expr, kind: str) -> None:
        value = node.value if isinstance(node, ast.Constant) else _number(node)
        if isinstance(value, bool):
            others = [str(not value)]
        elif isinstance(value, int | float | complex):
            others = [str(one) for one in _other_numbers(value, kind)]
        else:
            return
        start, end = self.source.begin(node), self.source.finish(node)
        text = self.source.part(start, end)
        # a sign binds less than a power or an attribute
        power = self.source.data[end:].lstrip()[:2] == b"**"
        new = [f"({other})" if power and other.startswith("-") else other for other in others]
        kind = "index" if kind == "step" else kind
        self._add(kind, [(start, end, one, text, one) for one in new])

    # --- how ---

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def _operator(
        self, kind: str, node: ast.AST, left: ast.AST, right: ast.AST, symbol: str, others: Sequence[str]
    ) -> None:
        at = self.source.token(symbol, self.source.finish(left), self.source.begin(right))
        if at is None:
            return
        end = at + len(symbol)
        changes = []
        for other in others:
            before, after = self._shown(node, at, end, other)
            if symbol == "**":  # a product binds less than a power
                begin, finish = self.source.begin(node), self.source.finish(node)
                whole = f"({self.source.part(begin, at)}{other}{self.source.part(end, finish)})"
                changes.append((begin, finish, whole, before, after))
            else:
                changes.append((at, end, other, before, after))
        self._add(kind, changes)

    def _shown(self, node: ast.AST, start: int, end: int, new: str) -> tuple[str, str]:
        left = self.source.part(max(self.source.begin(node), start - _AROUND), start)
        right = self.source.part(end, min(self.source.finish(node), end + _AROUND))
        return left + self.source.part(start, end) + right, left + new + right

    def _add(self, kind: str, changes: Sequence[tuple[int, int, str, str, str]]) -> None:
        if changes:
            self.sites.append([self.source.mutant(self.file, kind, *change) for change in changes])


def _is_told(node: ast.AST) -> bool:
    """Whether it is, or only makes, the text of an error or of a log message."""
    if isinstance(node, ast.Call):
        owner, _, method = ast.unparse(node.func).rpartition(".")
        return (owner in _LOGGERS and method in _LOGS) or method.endswith(("Error", "Warning"))
    return isinstance(node, ast.Raise | ast.JoinedStr)


def _feeding_messages(function: ast.AST) -> Iterator[ast.AST]:
    """Assignments to names that only errors and log messages read."""
    nodes = list(ast.walk(function))
    loads = Counter(_loads(nodes))
    told = [node for node in nodes if _is_told(node) and not isinstance(node, ast.JoinedStr)]
    inside = {id(part): part for node in told for part in ast.walk(node)}
    only = {name for name, number in Counter(_loads(inside.values())).items() if number == loads[name]}
    for node in nodes:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id in only
        ):
            yield node


def _loads(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id


def _is_text(node: ast.AST) -> bool:
    """Whether a text is an operand: a text has no other operator."""
    if isinstance(node, ast.BinOp):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def _number(node: ast.AST) -> int | float | complex | None:
    """The value of a number with or without a minus."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _number(node.operand)
        return None if value is None else -value
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float | complex):
        return None if isinstance(node.value, bool) else node.value
    return None


def _is_exact(node: ast.AST) -> bool:
    """Whether it is a number as it stands, or a count: something that can be equal to it is."""
    return _number(node) is not None or bool(_COUNTS.search(ast.unparse(node)))


def _other_numbers(value: complex, kind: str) -> list[float | complex]:
    if kind == "step":
        return [-value if abs(value) == 1 else value + 1]
    if kind == "index":
        return [value + 1, value - 1]
    if value == 0:
        return [value + 1]
    others = [0 * value, 2 * value, -value] if value == 1 else [2 * value, -value]
    if value != 1 and abs(value) <= 10:
        others.append(value + 1)
    return [one for one in others if abs(one) != float("inf")]
