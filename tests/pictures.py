"""Pictures of the pages, made from a running embedded run: python -m tests.pictures FOLDER.

Needs `selfheal up`, at least one question in its inbox, and a browser (`make browser`).
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

from infra.errors import UserError
from infra.local import run
from infra.local.inbox import Inbox

SIZES = {"phone": (390, 844), "desktop": (1360, 900)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def main(folder: Path) -> None:
    running = run.find()
    if running is None:
        raise UserError("no embedded run here", "start one with: selfheal up")
    links = [
        link for mail in Inbox(running.target()).read() for link in re.findall(r"http\S+/a/\S+", mail.text)
    ]
    if not links:
        raise UserError("no question was sent yet", "selfheal crash quote, then wait for selfheal inbox")
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, BROWSERS)), None)
        browser = playwright.chromium.launch(executable_path=path, chromium_sandbox=False)
        _page(browser, "approval", links[-1], folder)
        _page(browser, "forge", f"{running.forge_url}/{run.SAMPLE_SLUG}", folder)
        browser.close()


def _page(browser: Browser, name: str, address: str, folder: Path) -> None:
    for size, (width, height) in SIZES.items():
        for scheme in SCHEMES:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(address)
            page.screenshot(path=folder / f"{name}-{size}-{scheme}.png")
            page.close()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "pictures"))
    except UserError as error:
        sys.exit(f"{error.what}; {error.next_step}")
