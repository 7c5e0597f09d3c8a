"""Self-contained HTML pages: headline answers, warnings, sections with tables and figures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jinja2
from markupsafe import Markup, escape

from hallspice.page.style import BLUE, GREEN, GREY, ORANGE, PURPLE


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
    """Everything on a page; figures are SVG texts by the names that the captions use.

    Tables can be sorted and copied in the browser, and figures follow the theme of the page: see `themed`.
    """

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
            loader=jinja2.PackageLoader("hallspice.page"), autoescape=True, undefined=jinja2.StrictUndefined
        )

        def drawing(figure: Caption) -> Markup:
            return Markup(themed(self.figures[figure.name], figure.name, figure.caption))

        return environment.get_template("page.html").render(page=self, drawing=drawing)


THEMED = {
    "#000000": "currentColor",
    "#ffffff": "var(--figure-paper)",
    BLUE: "var(--figure-blue)",
    ORANGE: "var(--figure-orange)",
    GREEN: "var(--figure-green)",
    PURPLE: "var(--figure-purple)",
    GREY: "var(--figure-grey)",
}
"""Colours of figures that differ between the themes of a page; all others are kept."""

LEAST, MOST = 0.85, 1.35
"""Smallest and largest size of a figure on the screen, px per point of the drawing: text of 10 points stays legible."""


def themed(drawing: str, name: str, description: str) -> str:
    """An SVG text for a place inside a page.

    Its colours become those of the page's theme, identifiers that nothing refers to go and the others begin with the
    figure's name, so that two figures don't share one, and the description is there for those who cannot see it.

    >>> themed('<?xml?><svg viewBox="0 0 100 50"><g id="a"/><path id="b" style="fill: #000000"/>'
    ...        '<use href="#b"/></svg>', "levels", "A & B")
    '<svg role="img" aria-label="A &amp; B" style="min-width: 85px; max-width: 135px" viewBox="0 0 100 50"><g/><path \
id="levels-b" style="fill: currentColor"/><use href="#levels-b"/></svg>'
    """
    text = drawing[drawing.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{name}-", text)
    for colour, variable in THEMED.items():
        text = re.sub(rf"(?<=: ){colour}\b", variable, text, flags=re.IGNORECASE)
    width = float(text.partition('viewBox="')[2].split()[2])
    start = f'<svg role="img" aria-label="{escape(description)}" '
    return start + f'style="min-width: {LEAST * width:.0f}px; max-width: {MOST * width:.0f}px"' + text[4:]
