"""What strangers and models wrote, shown; and what strangers send, answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.core.untrusted.hidden import disguises
from tests.injections import INJECTIONS

if TYPE_CHECKING:
    from tests.unit.conftest import Scene
    from tests.unit.decide_approval.conftest import Browser

POISONED = ("error_type", "title", "sample", "log_group", "log_stream", "last_seen", "regressed_from")


def poison(scene: Scene, evil: str) -> Any:
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
    evidence = "orders-v1-abc/heal-1/2/evidence.json"
    told = {"base_reason": evil, "python": {"version": evil, "why": evil}}
    scene.artifacts.put_json(evidence, scene.artifacts.get_json(evidence) | told)
    return approval


def forget(scene: Scene) -> None:
    """Delete the approvals of `poison`, so that the next ones are new."""
    for number in (1, 2):
        key = {"approval_id": f"approval-{number}-of-the-scene-with-entropy"}
        scene.approvals._table.delete_item(Key=key)


def page(scene: Scene, browser: Browser, text: str) -> Any:
    """The approval page when everything on it says `text`, the recipient's name included."""
    recipient = text[:40].encode(errors="replace").decode()
    answer = browser.get(browser.link(poison(scene, text), recipient))
    forget(scene)
    assert answer.status == 200
    return answer


def shape(answer: Any) -> list[str]:
    """The elements of a page, without those that colour code."""
    return [tag for tag, _ in answer.elements.tags if tag not in ("span", "mark")]


def test_no_text_becomes_anything_but_text(scene: Scene, browser: Browser) -> None:
    # Each kind of disguise in the patch adds a warning to the page, which is as it should be.
    kinds = ("", "\u200b", "\u200b \u0441\u043e\u0440\u0443", "\u200b \u0441\u043e\u0440\u0443 ｅｖａｌ")
    shapes = [shape(page(scene, browser, f"words{disguised}")) for disguised in kinds]
    for evil in INJECTIONS:
        answer = page(scene, browser, evil)
        assert shape(answer) == shapes[len(disguises(evil.encode(errors="replace").decode()))], evil
        for tag, attributes in answer.elements.tags:
            assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcdoc")]
            address = attributes.get("href") or attributes.get("src") or ""
            assert not address.startswith(("javascript:", "data:", "//")), (tag, address)
        assert "{{" not in evil or "7 * 7" in answer.text


METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
KNOWN = ["a", "list", "orders", "slack", "progress", "static", "style.css", "..", "", "%2e%2e", "\u202e"]
SEGMENTS = st.sampled_from(KNOWN) | st.text(max_size=20)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_breaks_the_page_or_decides(scene: Scene, browser: Browser, data: st.DataObject) -> None:
    if not scene.approvals.get("approval-1-of-the-scene-with-entropy"):
        scene.approval()
    good = browser.link(scene.kept("approval-1-of-the-scene-with-entropy"))
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


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"base_reason": "tag git_sha names it"}, "tag git_sha names it"),
        (
            {"python": {"version": "3.12", "why": "Pipfile names 3.12"}},
            "The app runs on Python 3.12: Pipfile names 3.12.",
        ),
    ],
)
def test_the_page_says_why_that_commit_and_why_that_python(
    scene: Scene, browser: Browser, told: dict[str, Any], said: str
) -> None:
    approval = poison(scene, "words")
    evidence = "orders-v1-abc/heal-1/2/evidence.json"
    scene.artifacts.put_json(evidence, scene.artifacts.get_json(evidence) | told)
    assert said in browser.get(browser.link(approval, "ana@example.com")).text
