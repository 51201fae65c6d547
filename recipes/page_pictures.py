"""Pictures of the search page for the README, in light and dark.

    rerank-cli demo &
    python -m recipes.page_pictures http://127.0.0.1:8000 docs/pictures

Needs Chromium and the extra `test`. Writes page-light.png and page-dark.png.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

QUERY = "list open ports"
WIDTH, HEIGHT = 1200, 820
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LARGEST_BYTES = 300_000
TIMEOUT_MS = 120_000


def main() -> None:
    """Writes both pictures. Raises SystemExit if a picture is too large for a README."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="URL of a running demo.")
    parser.add_argument("output", type=Path, help="Folder of the pictures.")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for scheme in SCHEMES:
            file = arguments.output / f"page-{scheme}.png"
            page = browser.new_page(color_scheme=scheme, locale="en-US", viewport={"width": WIDTH, "height": HEIGHT})
            page.goto(f"{arguments.url}/?q={QUERY}&index=demo")
            page.wait_for_selector("#rankings:not([hidden])", timeout=TIMEOUT_MS)
            page.screenshot(path=str(file))
            if file.stat().st_size > LARGEST_BYTES:
                raise SystemExit(f"{file} must have at most {LARGEST_BYTES} bytes, got {file.stat().st_size}.")
        browser.close()


if __name__ == "__main__":
    main()
