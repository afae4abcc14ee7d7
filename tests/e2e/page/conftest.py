"""The approval page as approvers get to it: a link from a notification, opened in Debian's Chromium."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, BrowserContext, BrowserType, Dialog, Page, expect, sync_playwright

from functions.core.approval import links
from functions.core.approval.links import Link
from functions.core.incidents.incident import Incident, Status
from infra.local.inbox import Inbox, Mail
from infra.names import DEFAULT

if TYPE_CHECKING:
    from functions.core.apps.app import App
    from tests.e2e.conftest import World

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# What a page of ours needs at most, on a machine that is busy with other things as well. Milliseconds.
PATIENCE_MS = 120_000


@dataclass
class Watched:
    """A browser of its own (cookies, cache) that notes whatever a page must never do."""

    context: BrowserContext
    base: str
    dialogs: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    """Requests to anything but the page's own address."""
    violations: list[str] = field(default_factory=list)
    """What the console says of the content security policy."""

    def __post_init__(self) -> None:
        self.context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        self.context.on("request", lambda request: self._request(request.url))
        self.context.on("dialog", self._dialog)
        self.context.on("console", lambda message: self._console(message.text))

    def _request(self, url: str) -> None:
        if not url.startswith((self.base, "about:")):
            self.strays.append(url)

    def _dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _console(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.violations.append(text)

    def open(self, url: str) -> Page:
        page = self.context.new_page()
        page.goto(url)
        return page

    @property
    def harmed(self) -> list[str]:
        return self.dialogs + self.strays + self.violations


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests; each opens contexts, which share nothing."""
    with sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        yield browser
        browser.close()


def launch(kind: BrowserType, *arguments: str) -> Browser:
    """Start Debian's Chromium, without windows where there is one that has none."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not path:
        pytest.fail("the approval page is tested in a real browser: apt-get install chromium")
    # The sandbox needs privileges that containers lack; nothing but our own pages is opened.
    return kind.launch(executable_path=path, chromium_sandbox=False, args=arguments)


@pytest.fixture
def someone(world: World, chromium: Browser) -> Iterator[Callable[..., Watched]]:
    """Gives a person a browser; options are Playwright's (`color_scheme`, `viewport`, ...)."""
    contexts: list[BrowserContext] = []

    def give(**options: Any) -> Watched:
        contexts.append(chromium.new_context(**options))
        return Watched(contexts[-1], world.target.output("ApprovalUrl"))

    yield give
    for context in contexts:
        context.close()


@pytest.fixture
def inbox(world: World) -> Callable[[str], list[str]]:
    """All links to an approval that were sent to the topic, by the approval's id."""
    box = Inbox(world.target, f"page-{uuid.uuid4().hex}")
    box.open()
    kept: dict[Mail, None] = {}

    def read(approval_id: str) -> list[str]:
        kept.update(dict.fromkeys(box.read()))
        links = (link for mail in kept for link in re.findall(r"https?://\S+\?t=\S+", mail.text))
        return [link for link in links if f"/a/{approval_id}?" in link]

    return read


@pytest.fixture
def link_key(world: World) -> bytes:
    """The key with which this deployment signs."""
    stored = world.client("ssm").get_parameter(Name=DEFAULT.link_key, WithDecryption=True)
    return str(stored["Parameter"]["Value"]).split()[0].encode()


@pytest.fixture
def signed_link(world: World, link_key: bytes) -> Callable[[Link], str]:
    """The address of a link that this deployment really signs."""
    return lambda link: links.url(world.target.output("ApprovalUrl"), link, link_key)


@pytest.fixture
def links_for(world: World, inbox: Callable[[str], list[str]]) -> Callable[..., list[str]]:
    """The links that were sent about an app's one incident once it waits, one per recipient, in order.

    `after` is the approval that asked before: its successor is waited for.
    """

    def wait(app: App, *, after: str = "", count: int = 1) -> list[str]:
        def look() -> list[str] | None:
            for incident in world.incidents(app):
                current: Incident = world.target.incidents.get(incident.incident_id)
                if current.status is Status.AWAITING_APPROVAL and current.approval_id != after:
                    found = inbox(current.approval_id)
                    return found if len(found) >= count else None
            return None

        return world.eventually(look, lambda: f"no link was sent for {app.name}: {world.incidents(app)}")

    return wait


@pytest.fixture
def link_for(links_for: Callable[..., list[str]]) -> Callable[..., str]:
    """The link that was sent about an app's one incident when nobody in particular approves."""
    return lambda app, **options: links_for(app, **options)[0]
