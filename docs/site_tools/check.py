"""Checks a finished site: every link inside it arrives, and nothing is fetched from elsewhere.

python -m site_tools.check build/site/html
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_CSS_URL = re.compile(r"(?:url\(|@import\s+(?!url))['\"]?([^'\")\s]+)")

# Attributes that make a browser fetch, by tag; `link` does so by its `rel`.
_FETCHED = {"src", "srcset", "poster", "data"}


@dataclass
class _Page(HTMLParser):
    """Targets of one page and what it links to."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            elif name in _FETCHED or (tag == "link" and name == "href"):
                self.fetched.append(value)
            elif name == "href":
                self.links.append(value)


def faults(site: Path) -> list[str]:
    """Each broken link and each address of another host that is fetched, in a sentence."""
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        name = path.relative_to(site)
        found += [f"{name} fetches {url}" for url in page.fetched if _is_elsewhere(url)]
        inner = (url for url in (*page.links, *page.fetched) if not _is_elsewhere(url))
        found += [f"{name}: {fault}" for url in inner if (fault := _fault(path, url, pages))]
    return found + list(_style_faults(site))


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _is_elsewhere(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.netloc) or parts.scheme in ("http", "https")


def _fault(path: Path, url: str, pages: dict[Path, _Page]) -> str | None:
    parts = urlsplit(url)
    if parts.scheme:  # data:, mailto:
        return None
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
    if not target.exists():
        return f"{url} leads to no file"
    page = next((p for known, p in pages.items() if known.resolve() == target), None)
    anchor = unquote(parts.fragment)
    if anchor and page is not None and anchor not in page.anchors:
        return f"{url} leads to no place on its page"
    return None


def _style_faults(site: Path) -> Iterator[str]:
    for path in sorted(site.rglob("*.css")):
        for url in _CSS_URL.findall(path.read_text(encoding="utf-8")):
            if _is_elsewhere(url):
                yield f"{path.relative_to(site)} fetches {url}"


def main(site: Path) -> int:
    found = faults(site)
    for fault in found:
        print(fault, file=sys.stderr)
    num_pages = len(list(site.rglob("*.html")))
    print(f"{num_pages} pages, {len(found)} broken links or addresses of other hosts")
    return 1 if found or not num_pages else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
