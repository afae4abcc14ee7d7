"""The pages as a browser meets them: what they show, what they escape, and who may press their buttons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

if TYPE_CHECKING:
    from tests.unit.local.forge.conftest import Site

HOSTILE = "<img src=x onerror=alert(1)>\"'</title><script>alert(2)</script>"
PULL = "/acme/orders/pull/1"


class Tags(HTMLParser):
    """Collects what a browser would take for elements, attributes and links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.fields: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        values = dict(attrs)
        self.links.append(values.get("href") or "")
        if tag == "input":
            self.fields[values["name"] or ""] = values["value"] or ""


def opened(site: Site, **values: str) -> None:
    data: dict[str, Any] = {"title": "Unknown items", "body": "", "head": "fix"} | values
    site.github().get_repo("acme/orders").create_pull(base="main", **data)


def press(site: Site, action: str, fields: Mapping[str, str | bytes], origin: str | None = None) -> Any:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if origin != "":
        headers["Origin"] = origin or site.forge.url
    return site.request("POST", f"{PULL}/{action}", urlencode(fields).encode(), headers)


def test_one_finds_the_way_from_the_list_to_the_diff(site: Site, fixed: str) -> None:
    opened(site)

    home, repository, pull = (site.request("GET", path) for path in ("/", "/acme/orders", PULL))

    assert 'href="/acme/orders"' in home.text
    assert "1 open pull request<" in home.text
    for expected in (
        f'href="{PULL}"',
        "Unknown items",
        "app.py",
        "Import",
        ">main<",
        ">fix<",
        "git clone http",
    ):
        assert expected in repository.text
    for expected in (
        "Unknown items",
        "wants to merge 1 commit into",
        fixed[:10],
        ">app.py<",
        "Merge pull request",
    ):
        assert expected in pull.text
    assert re.search(r'<tr class="r">.*PRICES.*\[.*item.*\]', pull.text)
    assert re.search(r'<tr class="a">.*PRICES.*get', pull.text)


def test_every_link_of_every_page_leads_somewhere(site: Site, fixed: str) -> None:
    opened(site)
    seen, todo = set[str](), ["/"]
    while todo:
        path = todo.pop()
        answer = site.request("GET", path)
        assert answer.status == 200, path
        seen.add(path)
        if path.endswith(".css"):
            continue
        todo += {link for link in Tags(answer.text).links if link} - seen

    assert {"/", "/static/forge.css", "/acme/orders", PULL, f"/acme/orders/commit/{fixed}"} <= seen
    assert f"/acme/orders/blob/{fixed}/app.py" in seen


def test_a_file_at_a_revision_has_numbered_lines(site: Site) -> None:
    page = site.request("GET", f"/acme/orders/blob/{site.first_sha}/app.py")

    assert '<tr id="L5">' in page.text
    assert 'id="L6"' not in page.text


def test_text_of_strangers_is_text(site: Site) -> None:
    # Given hostile names and words wherever somebody else chooses them,
    branch = "fix-<script>alert(3)</script>\"'&"
    path = "x\"'<script>alert(4)<&.py"
    site.push(branch, {path: f"# {HOSTILE}\n"}, message=HOSTILE)
    repo = site.github().get_repo("acme/orders")
    pull = repo.create_pull(base="main", head=branch, title=HOSTILE, body=f"{HOSTILE}\n\n{HOSTILE}")
    pull.create_issue_comment(HOSTILE)
    pull.add_to_labels(HOSTILE)

    # when every page that shows them is read as a browser does,
    sha = pull.head.sha
    pages = [site.request("GET", p) for p in (PULL, "/acme/orders", f"/acme/orders/commit/{sha}")]
    file = next(link for link in Tags(pages[0].text).links if "/blob/" in link)
    pages.append(site.request("GET", file))

    # then they bring no element and no attribute of their own.
    for page in pages:
        assert page.status == 200
        tags = Tags(page.text)
        assert not tags.names & {"script", "img"}
        assert not {name for name in tags.attributes if name.startswith("on")}
        assert "style" not in tags.attributes
        assert "alert(2)" in page.text or "alert(3)" in page.text


@pytest.mark.parametrize("path", ["/", "/acme/orders", "/static/forge.css", "/none", "/acme/orders/pull/7"])
def test_every_answer_carries_the_protective_headers(site: Site, path: str) -> None:
    headers = site.request("GET", path).headers

    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/none/none",
        "/acme/none",
        "/acme/orders/pull/2",
        "/acme/orders/commit/main",
        "/acme/orders/commit/--help",
        "/acme/orders/commit/" + "0" * 40,
        "/acme/orders/blob/main/app.py",
        "/acme/orders/blob/HEAD:app.py/app.py",
        "/acme/../acme/orders",
        "/%2e%2e/forge",
        "/static/../server.py",
        "/static/%2e%2e/server.py",
        "/static/..%2fserver.py",
        "/acme/orders/%3Cscript%3Ealert(1)%3C/script%3E",
    ],
)
def test_what_does_not_exist_is_a_page_that_says_so(site: Site, path: str) -> None:
    answer = site.request("GET", path)

    assert answer.status == 404
    assert "<h1>404</h1>" in answer.text
    assert "alert(1)" not in answer.text


@pytest.mark.parametrize("path", ["../../../HEAD", "..", "app.py/", "none.py", "app.py%00", "%ff", ""])
def test_a_path_that_is_no_file_of_the_commit_is_not_found(site: Site, path: str) -> None:
    assert site.request("GET", f"/acme/orders/blob/{site.first_sha}/{path}").status == 404


def test_a_draft_is_made_ready_before_it_is_merged(site: Site, fixed: str) -> None:
    site.github().get_repo("acme/orders").create_pull(base="main", head="fix", title="T", draft=True)
    page = site.request("GET", PULL).text
    assert "This is a draft." in page
    assert "Merge pull request" not in page
    press(site, "ready", Tags(page).fields)
    assert "Merge pull request" in site.request("GET", PULL).text


def test_the_merge_button_merges(site: Site, fixed: str) -> None:
    opened(site)
    fields = Tags(site.request("GET", PULL).text).fields

    answer = press(site, "merge", fields)

    assert (answer.status, answer.headers["Location"]) == (303, PULL)
    page = site.request("GET", PULL).text
    assert "<strong>local-reviewer</strong> merged this" in page
    assert "<form" not in page
    clone = site.clone()
    assert fixed in [parent.hexsha for parent in clone.head.commit.parents]
    assert "PRICES.get" in Path(clone.working_dir, "app.py").read_text(encoding="utf-8")
    # What it brought is still shown after its branch is gone.
    clone.git.push("origin", "--delete", "fix")
    assert re.search(r'<tr class="a">.*PRICES.*get', site.request("GET", PULL).text)


def test_the_close_button_closes(site: Site, fixed: str) -> None:
    opened(site)

    answer = press(site, "close", Tags(site.request("GET", PULL).text).fields)

    assert answer.status == 303
    assert "Closed without merging" in site.request("GET", PULL).text
    assert site.clone().head.commit.hexsha == site.first_sha


@pytest.mark.parametrize("action", ["close", "merge"])
def test_what_was_typed_is_said_whichever_button_is_pressed(site: Site, fixed: str, action: str) -> None:
    opened(site)
    page = Tags(site.request("GET", PULL).text)
    assert press(site, action, page.fields | {"body": "/self-heal because of the table"}).status == 303
    after = site.request("GET", PULL).text
    assert "/self-heal because of the table" in after
    assert f'formaction="{PULL}/{action}"' not in after, "it is decided"


@pytest.mark.parametrize(
    ("change", "origin", "status"),
    [
        ({"token": "0" * 64}, None, 403),
        ({"token": ""}, None, 403),
        ({"token": "\udcff"}, None, 403),
        ({}, "http://evil.example", 403),
        ({}, "null", 403),
        ({}, "", 403),
        ({"head_sha": "0" * 40}, None, 409),
        ({"head_sha": ""}, None, 409),
    ],
)
def test_a_button_pressed_by_another_site_does_nothing(
    site: Site, fixed: str, change: dict[str, str], origin: str | None, status: int
) -> None:
    opened(site)
    fields = Tags(site.request("GET", PULL).text).fields | change
    sent = {name: value.encode("utf-8", "surrogateescape") for name, value in fields.items()}

    answer = press(site, "merge", sent, origin)

    assert answer.status == status
    assert site.github().get_repo("acme/orders").get_pull(1).state == "open"


def test_the_token_of_one_pull_request_is_no_good_for_another(site: Site, fixed: str) -> None:
    opened(site)
    site.push("second", {"b.py": "B = 1\n"})
    opened(site, head="second")
    fields = Tags(site.request("GET", "/acme/orders/pull/2").text).fields

    assert press(site, "close", fields).status == 403


def test_merging_by_link_is_impossible(site: Site, fixed: str) -> None:
    opened(site)

    assert site.request("GET", f"{PULL}/merge").status == 405
    assert site.github().get_repo("acme/orders").get_pull(1).state == "open"


def test_what_was_pushed_after_the_page_was_read_is_not_merged(site: Site, fixed: str) -> None:
    opened(site)
    fields = Tags(site.request("GET", PULL).text).fields
    site.push("fix", {"sneaked.py": "S = 1\n"})

    answer = press(site, "merge", fields)

    assert answer.status == 409
    assert "Head branch was modified" in answer.text


def test_a_conflict_is_told_and_has_no_merge_button(site: Site, fixed: str) -> None:
    opened(site)
    site.push("main", {"app.py": "PRICES = {}\n"})

    page = site.request("GET", PULL).text

    assert "Conflicts with main." in page
    assert "Merge pull request" not in page
    assert "/close" in page
