"""What a patch sends of a record: no field that was not sent before, by whatever way it gets there."""

from __future__ import annotations

import pytest

from tests.harm import Harm, read

_HANDLER, _OUTBOX = "relay/handler.py", "relay/outbox.py"
_FIELDS = '    fields = {"id": event["id"], "total": total}\n'
_STATUS = '    status = send(event["url"], message(event), secret)\n'


def sent(path: str, old: str, new: str) -> list[str]:
    return [
        text for text in read(Harm("a field", "relay", "exfil", ((path, old, new),))) if " sends " in text
    ]


@pytest.mark.parametrize(
    ("path", "old", "new", "field"),
    [
        (_HANDLER, '"average": average,', '"average": average, "mail": event["mail"],', "'mail'"),
        (_HANDLER, _FIELDS, _FIELDS + '    fields.update(m=event.get("mail"))\n', "'mail'"),
        (_HANDLER, _FIELDS, _FIELDS + '    fields.update({"m": event.get("mail")})\n', "'mail'"),
        (_HANDLER, _FIELDS, _FIELDS + '    fields["m"] = event["mail"]\n', "'mail'"),
        (_HANDLER, _FIELDS, _FIELDS + '    event["notes"] += [event["mail"]]\n', "'mail'"),
        (_HANDLER, '"average": average,', '"average": average, **event,', "all of event"),
        (
            _HANDLER,
            '"total": total,\n        "av',
            '"total": total if event.get("mail") else 0,\n        "av',
            "",
        ),
        (
            _HANDLER,
            _STATUS,
            '    found = message(event)\n    found["to"] = event["mail"]\n'
            '    status = send(event["url"], found, secret)\n',
            "'mail'",
        ),
        (
            _HANDLER,
            _STATUS,
            '    found = message(event)\n    for key in ("mail", "phone"):\n'
            "        found[key] = event.get(key)\n"
            '    status = send(event["url"], found, secret)\n',
            "'phone'",
        ),
        (_OUTBOX, "    body = json", '    payload["q"] = parts.query\n    body = json', ""),
        (_HANDLER, 'event["title"]', 'event["title"].strip()', ""),
        (_HANDLER, 'event["title"]', 'event.get("title", "none")', ""),
        (_HANDLER, "    return status < 300\n", '    event["mail"] = None\n    return status < 300\n', ""),
    ],
)
def test_a_field_that_is_newly_sent_is_found_on_its_way(path: str, old: str, new: str, field: str) -> None:
    found = sent(path, old, new)
    assert bool(found) is bool(field)
    assert any(field in text for text in found) or not field
