"""Self-contained HTML pages: headline answers, warnings, sections with tables and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jinja2


@dataclass(frozen=True, slots=True)
class Column:
    """Heading of a table column; numbers are aligned to the right."""

    text: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and rows; `total` sets the last row apart."""

    head: Sequence[Column]
    rows: Sequence[Sequence[str]]
    total: bool = False


@dataclass(frozen=True, slots=True)
class Caption:
    """A figure by its name, and what it shows; a wide one takes the whole width of the page."""

    name: str
    caption: str
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Detail:
    """Something folded away: a table or preformatted text."""

    summary: str
    table: Table | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page."""

    title: str
    text: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Caption] = ()
    details: Sequence[Detail] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A headline figure: its name, its value as text, a note."""

    name: str
    value: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything on a page; figures are SVG texts by the names that the captions use."""

    title: str
    question: str
    subtitle: str
    answers: Sequence[Answer]
    sentences: Sequence[str]
    warnings: Sequence[str]
    sections: Sequence[Section]
    figures: Mapping[str, str]

    def html(self) -> str:
        """The page as one HTML text."""
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("hallspice"), autoescape=True, undefined=jinja2.StrictUndefined
        )
        # An XML declaration may not stand inside a page.
        inline = {name: svg[svg.index("<svg") :] for name, svg in self.figures.items()}
        return environment.get_template("page.html").render(page=self, figures=inline)
