"""What strangers and models wrote, shown; and what strangers send, answered."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.decide_approval.text import hidden_characters

CHROMIUM = shutil.which("chromium")

# Each would run a script, load something, or break out of its element if any place forgot to escape.
INJECTIONS = (
    "<script>document.title='pwned'</script>",
    "</script><script>document.title='pwned'</script>",
    "<img src=x onerror=\"document.title='pwned'\">",
    "<svg onload=\"document.title='pwned'\">",
    "<svg><script>document.title='pwned'</script></svg>",
    "<body onload=\"document.title='pwned'\">",
    "<iframe srcdoc=\"<script>parent.document.title='pwned'</script>\"></iframe>",
    "<iframe src=\"javascript:parent.document.title='pwned'\"></iframe>",
    "<a href=\"javascript:document.title='pwned'\" autofocus onfocus=\"document.title='pwned'\">x</a>",
    "<details open ontoggle=\"document.title='pwned'\">",
    "<input autofocus onfocus=\"document.title='pwned'\">",
    "<select autofocus onfocus=\"document.title='pwned'\">",
    "<video><source onerror=\"document.title='pwned'\"></video>",
    "<math><mtext><script>document.title='pwned'</script></mtext></math>",
    "<object data=\"javascript:document.title='pwned'\"></object>",
    "<embed src=\"javascript:document.title='pwned'\">",
    "<meta http-equiv=refresh content=\"0;url=javascript:document.title='pwned'\">",
    '<meta http-equiv="refresh" content="0;url=https://attacker.example/">',
    '<base href="https://attacker.example/">',
    '<link rel=stylesheet href="https://attacker.example/x.css">',
    "<style>*{display:none}</style>",
    "<form action=https://attacker.example/><button autofocus>Approve</button></form>",
    '"><script>document.title="pwned"</script>',
    "'><script>document.title='pwned'</script>",
    '" autofocus onfocus="document.title=\'pwned\'" x="',
    "</textarea><script>document.title='pwned'</script>",
    "</pre></code></td></tr></table><script>document.title='pwned'</script>",
    "</title><script>document.title='pwned'</script>",
    "</details></main><h1>Approved</h1><!--",
    "<!--<script>document.title='pwned'</script>",
    "<![CDATA[<script>document.title='pwned'</script>]]>",
    "{{ 7 * 7 }}{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "&lt;script&gt;document.title='pwned'&lt;/script&gt;",
    "\u202e<script>document.title='pwned'</script>\u2066",
    "\x1b[31m<script>document.title='pwned'</script>\x1b[0m",
    "<scr\x00ipt>document.title='pwned'</scr\x00ipt>",
    "javascript:document.title='pwned'",
    "\udcff<script>document.title='pwned'</script>",
)


POISONED = ("error_type", "title", "sample", "log_group", "log_stream", "last_seen", "regressed_from")


def poison(scene: Any, evil: str) -> Any:
    """An approval in which every text that somebody else wrote is `evil`; nothing is left out."""
    storable = evil.encode(errors="replace").decode()
    line = evil.replace("\n", " ")
    frame = dict.fromkeys(("file", "function", "code"), storable)
    values: dict[str, Any] = dict.fromkeys(POISONED, storable)
    values["frames"] = [frame | {"in_app": True}, frame | {"in_app": False}]
    scene.incidents_table.update_item(
        Key={"incident_id": "orders-v1-abc"},
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ExpressionAttributeNames={f"#{name}": name for name in values},
        ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
    )
    patch = f"--- a/x.py\n+++ b/{line}\n@@ -1,1 +1,1 @@ {line}\n-{line}\n+{line}\n{line}\n"
    run = {"command": evil, "tree": evil, "exit_code": 1, "seconds": 0.1, "output": evil}
    gate = {"gate": evil, "result": "pass", "detail": evil, "findings": [evil], "runs": [run]}
    earlier = scene.approval(1, by=storable, decision="revise", comment=storable)
    texts = dict.fromkeys(("title", "root_cause", "explanation"), evil)
    scene.artifacts.put_json("orders-v1-abc/heal-1/1/proposal.json", texts)
    scene.artifacts.put_json("orders-v1-abc/heal-1/1/findings.json", {"findings": [evil]})
    approval = scene.approval(
        2, patch=patch.encode(errors="replace").decode(), previous_id=earlier.approval_id, repository=storable
    )
    scene.write_attempt(
        2,
        patch=patch.encode(errors="replace").decode(),
        proposal=texts,
        gates=[gate, {**gate, "result": "not_run"}],
    )
    scene.artifacts.put_json("orders-v1-abc/heal-1/2/prompt.json", {"model": evil})
    return approval


def forget(scene: Any) -> None:
    """Delete the approvals of `poison`, so that the next ones are new."""
    for number in (1, 2):
        key = {"approval_id": f"approval-{number}-of-the-scene-with-entropy"}
        scene.approvals._table.delete_item(Key=key)


def page(scene: Any, browser: Any, text: str) -> Any:
    """The approval page when everything on it says `text`, the recipient's name included."""
    recipient = text[:40].encode(errors="replace").decode()
    answer = browser.get(browser.link(poison(scene, text), recipient))
    forget(scene)
    assert answer.status == 200
    return answer


def shape(answer: Any) -> list[str]:
    """The elements of a page, without those that colour code."""
    return [tag for tag, _ in answer.elements.tags if tag != "span"]


def test_no_text_becomes_anything_but_text(scene: Any, browser: Any) -> None:
    harmless, warned = (shape(page(scene, browser, words)) for words in ("words", "words\u200b"))
    for evil in INJECTIONS:
        answer = page(scene, browser, evil)
        # Hidden characters in the patch add a warning to the page, which is as it should be.
        hidden = hidden_characters(evil.encode(errors="replace").decode())
        assert shape(answer) == (warned if hidden else harmless), evil
        for tag, attributes in answer.elements.tags:
            assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcdoc")]
            address = attributes.get("href") or attributes.get("src") or ""
            assert not address.startswith(("javascript:", "data:", "//")), (tag, address)
        assert "{{" not in evil or "7 * 7" in answer.text


@pytest.mark.skipif(CHROMIUM is None, reason="needs a real browser: Debian's chromium")
def test_in_a_real_browser_nothing_runs_and_nothing_moves(scene: Any, browser: Any, tmp_path: Path) -> None:
    # Without the policy header, which would hide a missing escape: the page itself must be harmless.
    # All cases are laid out on one page, so that one start of the browser tries them all.
    bodies = []
    for evil in INJECTIONS:
        answer = page(scene, browser, evil)
        bodies.append(answer.body.partition("<body>")[2].partition("</body>")[0])
    file = tmp_path / "page.html"
    file.write_text(
        f"<!doctype html><meta charset=utf-8><title>untouched</title>{''.join(bodies)}<p id=end>the end</p>"
    )
    found = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=3000", "--dump-dom", file.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout  # fmt: skip
    assert "<title>untouched</title>" in found
    assert 'id="end"' in found
    assert found.count('id="your-decision"') == len(INJECTIONS)


METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
SEGMENTS = st.sampled_from(["a", "progress", "static", "style.css", "..", "", "%2e%2e", "\u202e"]) | st.text(
    max_size=20
)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_breaks_the_page_or_decides(scene: Any, browser: Any, data: st.DataObject) -> None:
    if not scene.approvals.get("approval-1-of-the-scene-with-entropy"):
        scene.approval()
    good = browser.link(scene.approvals.get("approval-1-of-the-scene-with-entropy"))
    path = data.draw(st.just(good.partition("?")[0]) | st.lists(SEGMENTS, max_size=4).map("/".join))
    token = data.draw(st.sampled_from([good.partition("?t=")[2], ""]) | st.text(max_size=60))
    body = data.draw(st.none() | st.binary(max_size=80) | FORMS)
    address = f"/{path.strip('/').replace('?', '').replace('#', '')}?t={token.replace('#', '')}"
    answer = browser.request(data.draw(METHODS), address, body, data.draw(HEADERS))
    assert answer.status < 500
    assert answer.headers["content-security-policy"]
    assert scene.workflow.received == []


FORMS = st.fixed_dictionaries(
    {}, optional={name: st.text(max_size=20) for name in ("form", "decision", "comment", "reason")}
).map(lambda fields: "&".join(f"{name}={value}" for name, value in fields.items()).encode(errors="ignore"))
HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "sec-fetch-site", "origin", "accept", "cookie"]), st.text(max_size=20)
)
