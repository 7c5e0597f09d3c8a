"""Tables of the pages in a browser: sorted and copied, by mouse and keyboard, and there without a script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab

from hallspice.page.page import Answer, Column, Page, Section, Table

ROWS = [
    ["adc", "1.31 nJ", "3"],
    ["cells", "88.3 µJ", "-"],
    ["dac", "950 pJ", "12"],
    ["<wires>", "1.2 mJ", "1e1"],
]
HEADS = [Column("part"), Column("energy", True), Column("count", True)]
TABLE = Table(HEADS, [*ROWS, ["total", "x", "y"]], total=True)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = Page(
        title="tables",
        question="Sorted?",
        subtitle="A page of one table.",
        answers=[Answer("rows", "4", "and a total")],
        sentences=[],
        warnings=[],
        sections=[Section("Energy", tables=[TABLE])],
        figures={},
    )
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page.html(), encoding="utf-8")
    return path


@pytest.fixture
def tab(browser: Browser, path: Path) -> Iterator[Tab]:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    tab = context.new_page()
    tab.goto(path.as_uri())
    yield tab
    context.close()


def first_column(tab: Tab) -> list[str]:
    return tab.locator("tbody td:first-child").all_text_contents()


def test_numbers_sort_by_value_and_the_total_stays_last(tab: Tab) -> None:
    head = tab.get_by_role("columnheader", name="energy")
    head.get_by_role("button").click()
    assert first_column(tab) == ["dac", "adc", "cells", "<wires>"]
    expect(head).to_have_attribute("aria-sort", "ascending")
    head.get_by_role("button").click()
    assert first_column(tab) == ["<wires>", "cells", "adc", "dac"]
    expect(head).to_have_attribute("aria-sort", "descending")
    assert tab.locator("table tr").last.inner_text().split() == ["total", "x", "y"]


def test_what_is_missing_stands_last_in_both_directions(tab: Tab) -> None:
    button = tab.get_by_role("button", name="count")
    for expected in (["adc", "<wires>", "dac", "cells"], ["dac", "<wires>", "adc", "cells"]):
        button.focus()
        tab.keyboard.press("Enter")
        assert first_column(tab) == expected


def test_text_sorts_by_its_letters(tab: Tab) -> None:
    tab.get_by_role("button", name="part").click()
    assert first_column(tab) == ["<wires>", "adc", "cells", "dac"]


def test_a_copied_table_is_lines_of_cells_with_tabs(tab: Tab) -> None:
    tab.get_by_role("button", name="Copy table").click()
    expect(tab.get_by_text("Copied")).to_be_visible()
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines() == ["\t".join(row) for row in (["part", "energy", "count"], *TABLE.rows)]


def test_a_refused_clipboard_leaves_the_table_selected(tab: Tab) -> None:
    tab.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')) }")
    tab.get_by_role("button", name="Copy table").click()
    expect(tab.get_by_text("Selected")).to_be_visible()
    assert "88.3 µJ" in tab.evaluate("String(getSelection())")


def test_the_page_is_complete_without_a_script(browser: Browser, path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(path.as_uri())
    assert first_column(tab) == [row[0] for row in ROWS]
    assert tab.get_by_role("button").count() == 0
    context.close()
