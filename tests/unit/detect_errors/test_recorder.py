"""Counting deliveries: each once, wherever a run dies, and a storm touches the incident once a minute."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from functions.core.incidents.incident import ErrorClass, Frame, Incident, Status
from functions.core.incidents.table import LISTED, Incidents
from functions.core.workflow.lifetimes import KEEP_SECONDS
from functions.detect_errors.recorder import EXACT, MOVE, REMEMBER_SECONDS, Recorder, Sighting

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
ID = "orders-v1-abc"


def sighting(number: int = 0, at: timedelta = timedelta(0), **more: Any) -> Sighting:
    """The `number`-th delivery, of three occurrences."""
    time = (START + at).isoformat(timespec="milliseconds")
    made = Sighting(
        app="orders",
        fingerprint="v1-abc",
        error_type="KeyError",
        title="KeyError: 'NZ'",
        error_class=ErrorClass.CODE,
        class_reason="",
        next_action="",
        sample="Traceback ...",
        frames=(),
        count=3,
        first_seen=time,
        last_seen=time,
        log_group="/aws/lambda/orders",
        log_stream="s1",
        delivery_id=number.to_bytes(8),
        heals=True,
    )
    return replace(made, **more)


@pytest.fixture
def incidents(incidents_table: Table) -> Incidents:
    return Incidents(incidents_table)


def calls(recorder: Recorder) -> Counter[str]:
    """Counts the calls that the recorder makes from now on, by operation and table."""
    counted: Counter[str] = Counter()

    def count(params: dict[str, Any], model: Any, **_: Any) -> None:
        counted[model.name] += 1
        counted[f"{model.name} incidents"] += '"incidents"' in str(params["body"])

    for table in (recorder._incidents, recorder._deliveries):
        table.meta.client.meta.events.register("before-call.dynamodb", count)
    return counted


def storm(recorder: Recorder, deliveries: int, seconds: float, first: int = 1_000) -> None:
    """So many deliveries of one error, spread over so many seconds."""
    for n in range(deliveries):
        recorder.record(sighting(first + n, at=timedelta(seconds=n * seconds / deliveries)))


def test_the_first_occurrences_are_counted_exactly_and_later_ones_at_half_the_price(
    recorder: Recorder, incidents: Incidents
) -> None:
    asked: list[bool] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        (table,) = json.loads(params["body"])["RequestItems"].values()
        asked.append(table["ConsistentRead"])

    recorder._deliveries.meta.client.meta.events.register("before-call.dynamodb.BatchGetItem", note)
    for n in range(EXACT):
        recorder.record(sighting(n, at=n * MOVE * 2))
    counted = EXACT // 3 + 1  # of three occurrences each
    assert asked == [True] * counted + [False] * (EXACT - counted)
    assert incidents.get(ID).occurrences == 3 * EXACT


def test_a_delivery_counts_once_whenever_it_comes_again(recorder: Recorder, incidents: Incidents) -> None:
    assert recorder.record(sighting(1)).counted
    assert not recorder.record(sighting(1)).counted
    assert recorder.record(sighting(2)).counted
    assert not recorder.record(sighting(1)).counted
    assert incidents.get(ID).occurrences == 6


def test_deliveries_are_remembered_in_items_of_their_own_that_expire(
    recorder: Recorder, deliveries_table: Table, incidents_table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_800_000_000
    monkeypatch.setattr("functions.detect_errors.recorder.time.time", lambda: now)
    storm(recorder, 50, seconds=5)

    rows = deliveries_table.scan()["Items"]
    remembered = [row for row in rows if str(row["delivery_id"]).startswith("delivery#")]
    counters = [row for row in rows if str(row["delivery_id"]).startswith("count#")]

    assert len(remembered) == 50
    assert {row["ttl"] for row in remembered} == {now + REMEMBER_SECONDS}
    assert {row["ttl"] for row in counters} == {now + KEEP_SECONDS}
    assert sum(int(str(row["occurrences"])) for row in counters) == 150
    assert "delivery" not in str(incidents_table.scan()["Items"])


def test_the_first_occurrences_are_exact_at_once(recorder: Recorder, incidents: Incidents) -> None:
    for number in range(EXACT // 3):
        recorder.record(sighting(number))
        assert incidents.get(ID).occurrences == 3 * (number + 1)


@pytest.fixture
def old(incidents_table: Table) -> Table:
    """An incident whose 1000 occurrences were counted before there were shards."""
    Recorder(incidents_table, incidents_table)._create(sighting())
    incidents_table.update_item(
        Key={"incident_id": ID},
        UpdateExpression="SET occurrences = :n REMOVE counted_before",
        ExpressionAttributeValues={":n": 1000},
    )
    return incidents_table


def test_what_was_counted_before_there_were_shards_is_kept_and_added_to(
    old: Table, recorder: Recorder, incidents: Incidents
) -> None:
    for minute in range(1, 4):
        recorder.record(sighting(minute, at=minute * MOVE))
        assert incidents.get(ID).occurrences == 1000 + 3 * minute


def test_two_sightings_at_once_add_to_it_once(
    old: Table, recorder: Recorder, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between what one of them reads and what it writes, the other does both."""
    other = Recorder(old, recorder._deliveries)
    total = recorder._total

    def meanwhile(incident_id: str, exactly: bool) -> int:
        monkeypatch.setattr(recorder, "_total", total)
        found = total(incident_id, exactly)
        other.record(sighting(2, at=MOVE))
        return found

    monkeypatch.setattr(recorder, "_total", meanwhile)
    recorder.record(sighting(1, at=MOVE))
    assert incidents.get(ID).occurrences == 1000 + 6


def test_what_an_older_version_still_counts_meanwhile_is_not_lost(
    old: Table, recorder: Recorder, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = recorder._total

    def meanwhile(incident_id: str, exactly: bool) -> int:
        monkeypatch.setattr(recorder, "_total", total)
        old.update_item(
            Key={"incident_id": ID},
            UpdateExpression="ADD occurrences :n",
            ExpressionAttributeValues={":n": 5},
        )
        return total(incident_id, exactly)

    monkeypatch.setattr(recorder, "_total", meanwhile)
    recorder.record(sighting(1, at=MOVE))
    assert incidents.get(ID).occurrences == 1005 + 3


def test_a_storm_writes_the_incident_once_a_minute_and_its_index_too(
    recorder: Recorder, incidents: Incidents
) -> None:
    storm(recorder, 10, seconds=1, first=0)
    counted = calls(recorder)

    for minute in range(1, 4):
        for n in range(40):
            recorder.record(sighting(minute * 100 + n, at=minute * MOVE + timedelta(seconds=n)))

    assert counted["TransactWriteItems"] == 120
    # The incident and, beside it, how often it was seen over time.
    assert counted["UpdateItem incidents"] == 3 * 2
    assert incidents.get(ID).occurrences >= 3 * (10 + 80), "as of the last minute"


def test_last_seen_is_exact_at_first_then_moves_by_whole_minutes_and_never_back(
    recorder: Recorder, incidents: Incidents
) -> None:
    recorder.record(sighting(0))
    recorder.record(sighting(1, at=timedelta(seconds=2)))
    first = incidents.get(ID)
    assert (first.occurrences, datetime.fromisoformat(first.last_seen) - START) == (6, timedelta(seconds=2))

    recorder.record(sighting(2, count=EXACT))
    seen = []
    for number, seconds in enumerate((30, 61, 62, 100, 30, 122), start=3):
        recorder.record(sighting(number, at=timedelta(seconds=seconds)))
        last = datetime.fromisoformat(incidents.get(ID).last_seen)
        seen.append(int((last - START).total_seconds()))

    assert seen == [2, 2, 62, 62, 62, 122]


def test_exactly_one_of_two_sightings_at_once_is_the_first(
    recorder: Recorder, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second begins and ends when the first has counted, and not yet looked at the count."""
    total = recorder._total
    others: list[Any] = []

    def interrupted(incident_id: str, exactly: bool) -> int:
        if not others:
            others.append(None)
            others.append(recorder.record(sighting(2)))
        return total(incident_id, exactly)

    monkeypatch.setattr(recorder, "_total", interrupted)
    one = recorder.record(sighting(1))

    assert [one.first, others[1].first] == [False, True]
    assert incidents.get(ID).occurrences == 6


@pytest.mark.parametrize("hook", ["before-call", "after-call"])
@pytest.mark.parametrize("fatal", range(7))
@pytest.mark.parametrize("case", ["new", "resolved"])
def test_a_run_that_dies_anywhere_is_completed_by_the_next(
    case: str, fatal: int, hook: str, recorder: Recorder, incidents: Incidents
) -> None:
    """At its n-th call, before it or when its answer is lost."""
    if case == "resolved":
        recorder.record(sighting(0))
        incidents.transition(ID, Status.NEW, status=str(Status.RESOLVED))
    made = 0
    events = [t.meta.client.meta.events for t in (recorder._incidents, recorder._deliveries)]

    def die(**_: Any) -> None:
        nonlocal made
        made += 1
        if made == fatal + 1:
            raise ConnectionError("the function died here")

    for emitter in events:
        emitter.register(f"{hook}.dynamodb", die)
    with suppress(ConnectionError):
        recorder.record(sighting(1))
    for emitter in events:
        emitter.unregister(f"{hook}.dynamodb", die)
    recorder.record(sighting(1))

    incident = incidents.get(ID)
    assert incident.occurrences == (3 if case == "new" else 6)
    assert (incident.status, incident.generation) == (Status.NEW, 1 if case == "new" else 2)


def cancelled(*codes: str) -> dict[str, Any]:
    return {
        "Error": {"Code": "TransactionCanceledException", "Message": ""},
        "CancellationReasons": [{"Code": code} for code in codes],
    }


@pytest.mark.parametrize(("conflicts", "written"), [(3, True), (99, False)])
def test_a_transaction_that_meets_another_is_tried_again_for_a_while(
    conflicts: int, written: bool, recorder: Recorder, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = recorder._deliveries.meta.client
    real, left = client.transact_write_items, [conflicts]
    waited: list[float] = []
    monkeypatch.setattr(recorder, "_sleep", waited.append)

    def write(**request: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise client.exceptions.TransactionCanceledException(
                cancelled("None", "TransactionConflict"),  # type: ignore[arg-type]
                "TransactWriteItems",
            )
        return real(**request)

    monkeypatch.setattr(client, "transact_write_items", write)
    if written:
        assert recorder.record(sighting(1)).counted
        assert len(waited) == conflicts
        assert incidents.get(ID).occurrences == 3
    else:
        with pytest.raises(ClientError, match="TransactionCanceled"):
            recorder.record(sighting(1))


def failed(recorder: Recorder, incidents: Incidents, until: str) -> Incident:
    """An incident whose heal failed, and can be redriven until then."""
    recorder.record(sighting(1))
    incidents.claim(ID, "arn:execution:1")
    found = incidents.fail(ID, "arn:execution:1", "FAILED#0", "broken", "redrive", until)
    assert found
    return found


@pytest.mark.parametrize(
    ("until", "status", "generation"),
    [("2020-01-01T00:00:00.000+00:00", Status.NEW, 2), ("2999-01-01T00:00:00.000+00:00", Status.FAILED, 1)],
    ids=["its execution can no longer be redriven", "it can still be redriven"],
)
def test_a_failed_heal_starts_anew_at_the_next_sighting_once_it_cannot_go_on(
    until: str, status: Status, generation: int, recorder: Recorder, incidents: Incidents
) -> None:
    failed(recorder, incidents, until)

    again = recorder.record(sighting(2)).incident

    assert (again.status, again.generation, again.regressed_from) == (status, generation, "")
    assert bool(incidents.claim(ID, "arn:execution:2")) == (status is Status.NEW)


def test_a_failed_heal_is_started_over_by_hand_once(recorder: Recorder, incidents: Incidents) -> None:
    incident = failed(recorder, incidents, "2999-01-01T00:00:00.000+00:00")

    started = incidents.start_over(incident)

    assert started
    assert (started.status, started.generation, started.execution_arn) == (Status.NEW, 2, "")
    assert incidents.start_over(incident) is None


def test_lists_read_the_index_alone_and_it_holds_no_log_text(
    recorder: Recorder, incidents: Incidents
) -> None:
    recorder.record(sighting(1))

    (listed,) = incidents.recent("orders")

    assert (listed.title, listed.occurrences, listed.sample) == ("KeyError: 'NZ'", 3, "")
    assert not {"sample", "frames", "causes", "last_seen", "updated_at"} & set(LISTED)


def test_what_fails_on_a_twin_s_line_is_an_incident_of_its_own(
    recorder: Recorder, incidents: Incidents
) -> None:
    def at_line(line: int, number: int) -> Sighting:
        return sighting(
            number, frames=(Frame("/app/total.py", line, "total", "return sum(self.lines)", True),)
        )

    first = recorder.record(at_line(3, 1)).incident
    assert recorder.record(at_line(16, 2)).incident.incident_id == first.incident_id  # nobody can tell yet
    incidents.transition(
        first.incident_id, Status.NEW, qualified="Invoice.total", twins={"16": "Receipt.total"}
    )
    other = recorder.record(at_line(16, 3))
    assert other.first
    assert other.incident.status is Status.NEW
    assert other.incident.incident_id != first.incident_id
    assert recorder.record(at_line(16, 3)).counted is False
    assert recorder.record(at_line(16, 4)).incident.incident_id == other.incident.incident_id
    assert recorder.record(at_line(17, 5)).incident.incident_id == first.incident_id  # lines moved
    counts = [incidents.get(one).occurrences for one in (first.incident_id, other.incident.incident_id)]
    assert counts == [9, 6]


def test_only_so_many_new_incidents_ask_for_a_heal_within_an_hour(
    recorder: Recorder, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An execution begins for each that is NEW; the others lose nothing but this hour."""
    errors = [sighting(n, fingerprint=f"v1-{n}", may_ask=4) for n in range(10)]
    told = [recorder.record(error).tell_waiting for error in errors + errors]
    found = [incidents.get(error.incident_id) for error in errors]
    assert [one.status for one in found] == [Status.NEW] * 4 + [Status.SUPPRESSED] * 6
    assert [one.occurrences for one in found] == [3] * 10
    assert told.count(True) == 1
    assert told.index(True) == 4
    assert {one.reason for one in found[4:]} == {
        "4 errors of orders asked for a heal within this hour, the most that may"
    }
    clock = found[9].held_until
    monkeypatch.setattr("time.time", lambda: clock)
    again = [replace(error, delivery_id=(100 + n).to_bytes(8)) for n, error in enumerate(errors)]
    for error in again:
        recorder.record(error)
    assert [incidents.get(error.incident_id).status for error in errors].count(Status.NEW) == 4 + 4


def test_new_errors_every_hour_keep_none_that_waited_from_asking(
    recorder: Recorder, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever floods the log first in every hour has three quarters of it, and no more."""
    hour = 3600 * (int(time.time()) // 3600 + 1)

    def seen(at: int, *names: str) -> list[Status]:
        monkeypatch.setattr("time.time", lambda: hour + at)
        found = [
            recorder.record(sighting(at + n, fingerprint=f"v1-{name}", may_ask=4)).incident
            for n, name in enumerate(names)
        ]
        return [incidents.get(one.incident_id).status for one in found]

    flood = [f"{number}" for number in range(30)]
    assert seen(0, *flood[:6], "real").count(Status.NEW) == 4
    assert seen(3600, *flood[10:16], "real") == [Status.NEW] * 3 + [Status.SUPPRESSED] * 3 + [Status.NEW]
    # An hour after one that refused nobody is for whoever comes.
    assert seen(3 * 3600, *flood[20:26]).count(Status.NEW) == 4


def test_a_heal_that_ended_at_a_budget_starts_anew_once_there_is_another(
    recorder: Recorder, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever can have the budget spent could end an app's errors for good."""
    recorder.record(sighting(1))
    incidents.claim(ID, "arn:execution:1")
    tomorrow = int(time.time()) + 86_400
    incidents.advance(ID, "arn:execution:1", status=str(Status.ABSTAINED), held_until=tomorrow)
    assert recorder.record(sighting(2)).incident.status is Status.ABSTAINED

    monkeypatch.setattr("time.time", lambda: tomorrow)
    again = recorder.record(sighting(3)).incident

    assert (again.status, again.generation, again.held_until) == (Status.NEW, 2, 0)
    assert incidents.claim(ID, "arn:execution:2")
    incidents.advance(ID, "arn:execution:2", status=str(Status.ABSTAINED))
    assert recorder.record(sighting(4)).incident.status is Status.ABSTAINED


def test_what_comes_back_asks_within_the_same_bound(recorder: Recorder, incidents: Incidents) -> None:
    errors = [sighting(n, fingerprint=f"v1-{n}", may_ask=9) for n in range(9)]
    for error in errors:
        recorder.record(error)
        incidents.transition(error.incident_id, Status.NEW, status=str(Status.RESOLVED))
    for n, error in enumerate(errors):
        recorder.record(replace(error, delivery_id=(100 + n).to_bytes(8)))
    found = [incidents.get(error.incident_id) for error in errors]
    assert {one.status for one in found} == {Status.RESOLVED}
    assert {one.occurrences for one in found} == {6}
