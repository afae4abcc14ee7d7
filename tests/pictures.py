"""Pictures of the pages, the dashboard and the alarms, made from a running embedded run: `make pictures`.

Needs `selfheal up`, at least one question in its inbox, and a browser (`make browser`).
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, sync_playwright

from infra.errors import UserError
from infra.local import run
from infra.local.inbox import Inbox
from infra.target import Target
from tests import dashboard

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
    _dashboard(running.target(), folder)


def _page(browser: Browser, name: str, address: str, folder: Path) -> None:
    for size, (width, height) in SIZES.items():
        for scheme in SCHEMES:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(address)
            page.screenshot(path=folder / f"{name}-{size}-{scheme}.png")
            page.close()


def _dashboard(target: Target, folder: Path) -> None:
    """Their text stays text: such pictures are small, and sharp on every screen."""
    seen = dashboard.recorded(target.session, target.names)
    watch: Any = target.session.client("cloudwatch")
    body = json.loads(watch.get_dashboard(DashboardName=target.names.dashboard)["DashboardBody"])
    alarms = [
        one for page in watch.get_paginator("describe_alarms").paginate() for one in page["MetricAlarms"]
    ]
    (folder / "dashboard.svg").write_text(dashboard.board(body["widgets"], seen))
    (folder / "alarms.svg").write_text(dashboard.alarms(alarms, seen))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "pictures"))
    except UserError as error:
        sys.exit(f"{error.what}; {error.next_step}")
