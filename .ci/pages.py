"""Pages of the site that lie outside of docs/; links lead where they do in the repository."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/RESULTS.md": "benchmarks.md",
}
"""Where a page lies in the repository, and what it is called on the site."""
_LINK = re.compile(r"\]\((?P<to>[^)#:]+)(?P<part>#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, as MkDocs asks of a hook."""
    for source, page in PAGES.items():
        text = moved((ROOT / source).read_text(encoding="utf-8"), (ROOT / source).parent)
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Let links out of docs/ lead to the pages that were added."""
    return moved(markdown, ROOT / "docs")


def moved(markdown: str, folder: Path) -> str:
    """Return a page whose links, as seen from `folder`, lead to pages of the site."""

    def link(match: re.Match[str]) -> str:
        target = (folder / match["to"]).resolve()
        if not target.is_relative_to(ROOT):
            return match[0]
        place = target.relative_to(ROOT).as_posix()
        place = PAGES.get(place, place.removeprefix("docs/"))
        return f"]({place}{match['part'] or ''})"

    return _LINK.sub(link, markdown)
