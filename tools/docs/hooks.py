"""What mkdocs makes at build time: schematics, configuration, results of the checks, pages of packages, notebooks.

In a page, ``<!-- schematic NAME -->``, ``<!-- configuration -->``, ``<!-- checks -->`` and
``<!-- interface PACKAGE -->`` stand for them.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))

import checks
import interface
import schematics

_ROOT = Path(__file__).parents[2]
_REPOSITORY_LINK = re.compile(r"\]\(\.\./(examples/[^)]*)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add a page for each notebook, and the notebook itself beside it."""
    for path in sorted((_ROOT / "examples").glob("*.ipynb")):
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=_notebook(path)))
        files.append(File.generated(config, f"notebooks/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put in what the comments stand for."""
    markdown = re.sub(r"<!-- schematic (\w+) -->", lambda found: _figure(found[1]), markdown)
    markdown = re.sub(r"<!-- interface (\w+) -->", lambda found: interface.page(found[1]), markdown)
    if "<!-- configuration -->" in markdown:
        from hallspice.config.starter import starter_text

        markdown = markdown.replace("<!-- configuration -->", f"```yaml\n{starter_text()}```")
    if "<!-- checks -->" in markdown:
        markdown = markdown.replace("<!-- checks -->", checks.as_markdown())
    return markdown


def _figure(name: str) -> str:
    # blank lines inside would end the raw HTML block
    svg = re.sub(r"\s*\n\s*", " ", schematics.svg(name))
    return f'<figure class="schematic" role="img" aria-label="schematic of {name}">{svg}</figure>'


def _notebook(path: Path) -> str:
    """Text and code of a notebook as a page."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
    title, *rest = parts
    return "\n\n".join(
        [title, f"The same as a notebook: [{path.name}]({path.name}), without outputs.", *rest]
    )
