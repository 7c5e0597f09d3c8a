"""Every report in a browser: nothing fails, nothing is fetched, nothing overflows, all of it can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab
from typer.testing import CliRunner

from hallspice.cli.application import app
from hallspice.paper import paper
from nn_mapping.data import Dataset

EXAMPLES = Path(__file__).parents[2] / "examples"

CONFIG = """\
seed: 3
array: {rows: 256, columns: 32}
network: {layers: [784, 10], epochs: 1}
certificate: {tiles: 1, vectors: 1}
"""
SMALL_ARRAY = """\
array: {architecture: resistive, rows: 4, columns: 4}
write: {faults: {stuck: 0.3}}
compare: {draws: 2, vectors: 20}
"""


def make_run(folder: Path) -> list[object]:
    return ["run", folder / "config.yaml", "--out", folder / "run"]


def make_evaluate(folder: Path) -> list[object]:
    return ["evaluate", folder / "chips.yaml", "--out", folder / "evaluate"]


def make_write(folder: Path) -> list[object]:
    levels = np.random.default_rng(1).choice((0.33, 0.46, 0.49, 0.52, 0.54, 0.57), (4, 4))
    np.savetxt(folder / "levels.csv", levels, delimiter=",")
    return ["write", folder / "array.yaml", "--levels", folder / "levels.csv", "--out", folder / "write"]


def make_fit(folder: Path) -> list[object]:
    return ["fit", EXAMPLES / "data" / "paper" / "paper.yaml", "--out", folder / "fit" / "card.yaml"]


def make_verify(folder: Path) -> list[object]:
    return [*("verify", "--grains", 12, "--largest-error", 0.1, "--quick"), "--out", folder / "verify"]


REPORTS = {
    "run": (make_run, "run/report.html"),
    "evaluate": (make_evaluate, "evaluate/report.html"),
    "write": (make_write, "write/report.html"),
    "compare": (lambda folder: ["compare", folder / "array.yaml", "--out", folder / "compare"], "compare/report.html"),
    "device": (lambda folder: ["device", "--out", folder / "device"], "device/report.html"),
    "fit": (make_fit, "fit/card_report/report.html"),
    "verify": (make_verify, "verify/certificate.html"),
    "paper": (lambda folder: ["paper", "--quick", "--seeds", 1, "--out", folder / "paper"], "paper/report.html"),
}  # fmt: skip


def few_images(name: str, _folder: Path | None = None) -> Dataset:
    """Noise in place of a data set that is not shipped."""
    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (300, 28, 28), dtype=np.uint8)
    labels = np.arange(300, dtype=np.uint8) % 10
    return Dataset(
        name=name, train_images=images, train_labels=labels, test_images=images, test_labels=labels
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("reports")
    (folder / "config.yaml").write_text(CONFIG)
    varied = f"{CONFIG}variation: {{chips: 2, spread_of_window: 0.05, read_noise: 0.02}}\n"
    (folder / "chips.yaml").write_text(varied)
    (folder / "array.yaml").write_text(SMALL_ARRAY)
    (folder / "fit").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HALLSPICE_CACHE", str(folder / "cache"))
        # The paper's networks, smaller and in this process.
        patch.setattr(paper, "load_dataset", few_images)
        patch.setattr(paper, "LAYERS", (784, 12, 10))
        patch.setattr(paper, "worker_processes", lambda _count: ThreadPoolExecutor(1))
        yield folder


class Report:
    """A report that is open in a browser, with what its loading said and fetched."""

    def __init__(self, browser: Browser, path: Path) -> None:
        self.path = path
        self.context = browser.new_context(color_scheme="light")
        self.tab: Tab = self.context.new_page()
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.tab.on("console", lambda message: self.messages.append(message.text))
        self.tab.on("pageerror", lambda error: self.messages.append(str(error)))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.goto(path.as_uri())

    def show(self, width: int = 1400, scheme: Any = "light", media: Any = "screen") -> Tab:
        self.tab.set_viewport_size({"width": width, "height": 900})
        self.tab.emulate_media(color_scheme=scheme, media=media)
        return self.tab


@pytest.fixture(scope="module", params=REPORTS)
def report(request: pytest.FixtureRequest, browser: Browser, folder: Path) -> Iterator[Report]:
    arguments, page = REPORTS[request.param]
    result = CliRunner().invoke(app, [*map(str, arguments(folder)), "--quiet"])
    assert result.exit_code == 0, result.output
    report = Report(browser, folder / page)
    yield report
    report.context.close()


def test_nothing_fails_and_nothing_is_fetched(report: Report) -> None:
    assert report.messages == []
    assert [url for url in report.requests if not url.startswith("data:")] == [report.path.as_uri()]


@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_overflows(report: Report, width: int) -> None:
    tab = report.show(width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    # Wide tables and figures scroll inside their own box.
    outside = """() => [...document.querySelectorAll("body *")].filter((one) => !one.closest(".scroll, pre, details"))
        .filter((one) => one.getBoundingClientRect().right > innerWidth).map((one) => one.outerHTML.slice(0, 80))"""
    assert tab.evaluate(outside) == []


def test_every_figure_is_there_with_words_for_those_who_cannot_see_it(report: Report) -> None:
    tab = report.show()
    figures = tab.locator("figure")
    names = {name.removeprefix("figure-") for name in figures.evaluate_all("all => all.map((one) => one.id)")}
    files = json.loads((report.path.parent / "results.json").read_text())["files"]
    assert names >= {Path(name).stem for name in files if name.startswith("figures/")}
    assert names
    for figure in figures.all():
        drawing = figure.locator("svg")
        box = drawing.bounding_box()
        assert box is not None
        assert box["width"] > 200
        assert box["height"] > 80
        assert len(drawing.get_attribute("aria-label") or "") > 10
        assert drawing.locator("text").count() > 3  # text, not outlines


def test_text_of_figures_is_not_tiny(report: Report) -> None:
    tab = report.show(400)
    sizes = """() => [...document.querySelectorAll("figure text")]
        .map((one) => parseFloat(getComputedStyle(one).fontSize) * one.getScreenCTM().d)"""
    upright = [size for size in tab.evaluate(sizes) if size > 0.1]  # turned text has another matrix
    assert min(upright) >= 5.5  # subscripts; labels are larger


def test_no_identifier_is_used_twice_and_none_is_missing(report: Report) -> None:
    identifiers = report.tab.evaluate("() => [...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(identifiers) == len(set(identifiers))
    used = """() => [...document.documentElement.outerHTML.matchAll(/(?:href="|url\\((?:&quot;)?)#([^")&]+)/g)]
        .map((found) => found[1])"""
    assert set(report.tab.evaluate(used)) <= set(identifiers)


def test_the_button_changes_the_theme(report: Report) -> None:
    tab = report.show()
    colours = """() => [document.body, document.querySelector("figure text")]
        .map((one, at) => getComputedStyle(one)[at ? "fill" : "backgroundColor"])"""
    light = tab.evaluate(colours)
    tab.get_by_role("button", name="Dark theme").click()
    dark = tab.evaluate(colours)
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    tab.get_by_role("button", name="Light theme").click()
    assert tab.evaluate(colours) == light
    tab.evaluate("document.documentElement.style.colorScheme = ''")


# Text by its colour and the nearest colour behind it; text on colour maps has colours of its own.
CONTRAST = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const colour = numbers(getComputedStyle(one).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour.slice(0, 3);
    }
    throw new Error("nothing behind");
  };
  const onMap = ["rgb(22, 22, 22)", "rgb(250, 250, 250)"];
  const found = [];
  for (const one of document.querySelectorAll("body *:not(script, style)")) {
    const words = [...one.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join("");
    const style = getComputedStyle(one);
    const colour = one.closest("svg") ? style.fill : style.color;
    if (!words || onMap.includes(colour)) continue;
    const [x, y] = [light(numbers(colour).slice(0, 3)), light(behind(one))];
    const ratio = (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
    found.push([ratio, one.tagName, words.slice(0, 40)]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(report: Report, scheme: str) -> None:
    found = report.show(scheme=scheme).evaluate(CONTRAST)
    tags = {tag for _, tag, _ in found}
    assert tags >= {"P", "TD", "A", "SMALL", "FIGCAPTION", "text"}
    assert min(found)[0] >= 4.5, min(found)  # WCAG 2.2, AA, text of any size


def test_paper_shows_everything(report: Report) -> None:
    tab = report.show(width=703, scheme="dark", media="print")  # A4 without its margins, in CSS pixels
    assert tab.evaluate("document.documentElement.scrollWidth") <= 703
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    cut = """() => [...document.querySelectorAll(".scroll, pre")].filter((one) => one.scrollWidth > one.clientWidth + 1)
        .map((one) => [one.scrollWidth, one.clientWidth, one.textContent.trim().slice(0, 60)])"""
    assert tab.evaluate(cut) == []
    heights = "all => all.map((one) => one.getBoundingClientRect().height)"
    assert all(height > 0 for height in tab.locator("details > :not(summary)").evaluate_all(heights))
    assert tab.locator("button.theme, button.copy").filter(visible=True).count() == 0


def test_tables_can_be_sorted_and_copied(report: Report) -> None:
    tab = report.show()
    assert tab.locator("button.copy").count() == tab.locator("table").count()
    for table in tab.locator("table").all():
        heads = table.locator("th")
        if heads.count() > 1 and table.locator("tbody tr").count() > 2:
            assert table.locator("th button").count() == heads.count()
