"""The dashboard and the alarms of a run, drawn from what was deployed and from what it logged.

The emulator keeps definitions and no metrics of most services. They are made here of what CloudWatch makes
them of: the metric documents and the `REPORT` lines in the functions' logs, the executions and the queues.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

import boto3

from infra.names import Names

Series = dict[int, list[float]]
"""Minute of the epoch → values."""
Key = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, metric, dimensions."""

_REPORT = re.compile(r"^REPORT .*?Duration: ([\d.]+) ms")
_SEARCH = re.compile(r"SEARCH\('\{([^}]*)\} (\w+)=\"(\w+)\"', '(\w+)', (\d+)\)")
_COLOURS = ("#2563eb", "#d97706", "#059669", "#db2777", "#7c3aed", "#0891b2", "#65a30d", "#dc2626")


@dataclass(frozen=True)
class Line:
    """One line of a graph: points are (minute of the epoch, value)."""

    label: str
    points: tuple[tuple[int, float], ...]


def recorded(session: boto3.Session, names: Names) -> Mapping[Key, Series]:
    """Everything that the run has to tell, by metric."""
    found: dict[Key, Series] = defaultdict(lambda: defaultdict(list))
    for key, at, value in (*_logged(session, names), *_executed(session, names), *_queued(session)):
        found[key][int(at.timestamp()) // 60].append(value)
    return found


def _logged(session: boto3.Session, names: Names) -> Iterator[tuple[Key, datetime, float]]:
    logs: Any = session.client("logs")
    for group in logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{names.prefix}")["logGroups"]:
        function = group["logGroupName"].rpartition("/")[2]
        own = frozenset({("FunctionName", function), ("Resource", f"{function}:live")})
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
            for event in page["events"]:
                at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                if report := _REPORT.match(event["message"]):
                    yield ("AWS/Lambda", "Duration", own), at, float(report[1])
                    yield ("AWS/Lambda", "Invocations", own), at, 1.0
                yield from _embedded(event["message"])


def _embedded(message: str) -> Iterator[tuple[Key, datetime, float]]:
    """What a line in embedded metric format holds."""
    if '"_aws"' not in message:
        return
    document = json.loads(message[message.index("{") :])
    at = datetime.fromtimestamp(document["_aws"]["Timestamp"] / 1000, UTC)
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for dimensions in directive["Dimensions"]:
            named = frozenset((name, str(document[name])) for name in dimensions)
            for metric in directive["Metrics"]:
                values = document[metric["Name"]]
                for value in values if isinstance(values, list) else [values]:
                    yield (directive["Namespace"], metric["Name"], named), at, float(value)


def _executed(session: boto3.Session, names: Names) -> Iterator[tuple[Key, datetime, float]]:
    states: Any = session.client("stepfunctions")
    ended = {
        "SUCCEEDED": "ExecutionsSucceeded",
        "FAILED": "ExecutionsFailed",
        "ABORTED": "ExecutionsAborted",
        "TIMED_OUT": "ExecutionsTimedOut",
    }
    for machine in states.list_state_machines()["stateMachines"]:
        own = frozenset({("StateMachineArn", machine["stateMachineArn"])})
        if machine["name"] != names.workflow:
            continue
        pages = states.get_paginator("list_executions")
        for page in pages.paginate(stateMachineArn=machine["stateMachineArn"]):
            for one in page["executions"]:
                yield ("AWS/States", "ExecutionsStarted", own), one["startDate"], 1.0
                if name := ended.get(one["status"]):
                    yield ("AWS/States", name, own), one["stopDate"], 1.0


def _queued(session: boto3.Session) -> Iterator[tuple[Key, datetime, float]]:
    sqs: Any = session.client("sqs")
    name = "ApproximateNumberOfMessages"
    for url in sqs.list_queues().get("QueueUrls", ()):
        held = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]
        own = frozenset({("QueueName", url.rpartition("/")[2])})
        yield ("AWS/SQS", f"{name}Visible", own), datetime.now(UTC), float(held)


def lines(metrics: list[Any], seen: Mapping[Key, Series], period: int = 300) -> list[Line]:
    """The lines of a widget, from its `metrics`. One that repeats what is above it with dots is not ours."""
    found: list[Line] = []
    for row in metrics:
        options = row[-1] if isinstance(row[-1], dict) else {}
        if "expression" in options:
            found += _searched(options["expression"], seen)
            continue
        namespace, metric, *pairs = [word for word in row if isinstance(word, str)]
        named = frozenset(zip(pairs[::2], pairs[1::2], strict=True))
        series = seen.get((namespace, metric, named), {})
        found.append(Line(options.get("label", metric), _points(series, options["stat"], period)))
    return found


def _searched(expression: str, seen: Mapping[Key, Series]) -> Iterator[Line]:
    match = _SEARCH.fullmatch(expression)
    if match is None:
        raise ValueError(f"not drawn: {expression}")
    (namespace, *names), name, value = match[1].split(","), match[2], match[3]
    for (space, metric, named), series in sorted(seen.items(), key=str):
        if space == namespace and dict(named).keys() == set(names) and (name, value) in named:
            told = " ".join(one for dimension, one in sorted(named) if dimension != name)
            yield Line(told or metric, _points(series, match[4], int(match[5])))


def _points(series: Series, statistic: str, period: int) -> tuple[tuple[int, float], ...]:
    minutes = period // 60
    grouped: Series = defaultdict(list)
    for minute, values in series.items():
        grouped[minute // minutes * minutes] += values
    return tuple((minute, _statistic(values, statistic)) for minute, values in sorted(grouped.items()))


def _statistic(values: list[float], name: str) -> float:
    if name.startswith("p"):
        return sorted(values)[min(len(values) - 1, int(len(values) * float(name[1:]) / 100))]
    counts: dict[str, Callable[[list[float]], float]] = {
        "Sum": sum,
        "Maximum": max,
        "Minimum": min,
        "SampleCount": len,
    }
    return float(counts[name](values)) if name in counts else sum(values) / len(values)


def board(widgets: list[dict[str, Any]], seen: Mapping[Key, Series]) -> str:
    """The dashboard's graphs in their places, as SVG; its figures are of a longer time than a run's."""
    widgets = [w for w in widgets if w["properties"].get("view") != "singleValue"]
    minutes = [minute for series in seen.values() for minute in series]
    span = (min(minutes) // 5 * 5, max(minutes) + 5) if minutes else (0, 5)
    graphs = "".join(
        f'<g transform="translate({w["x"] * _UNIT + 8} {w["y"] // 6 * (_H + 8) + 8})">'
        f"{_widget(w, seen, span)}</g>"
        for w in widgets
    )
    height = max(w["y"] // 6 for w in widgets) * (_H + 8) + _H + 16
    return _svg(24 * _UNIT + 8, height, graphs)


def alarms(found: list[dict[str, Any]], seen: Mapping[Key, Series]) -> str:
    """The alarms and what they mean, those that ring first, as SVG."""
    rows = sorted((_state(each, seen), each["AlarmName"], each.get("AlarmDescription", "")) for each in found)
    texts = [("state", "alarm", "what it means, where more is, and what answers it"), *rows]
    drawn = "".join(
        f'<text class="{state}" y="{20 + 18 * number}"><tspan x="12">{state}</tspan>'
        f'<tspan x="76">{escape(name)}</tspan><tspan x="310">{escape(said)}</tspan></text>'
        for number, (state, name, said) in enumerate(texts)
    )
    return _svg(1_240, 18 * len(texts) + 16, drawn)


_STYLE = """text{font:12px system-ui,sans-serif;fill:#1f2937}.title,.state{font-weight:700}
.box{fill:#fff;stroke:#d1d5db}.axis{stroke:#d1d5db;fill:none}.small{font-size:11px}.figure{font-size:24px}.end{text-anchor:end}
.ALARM{fill:#b91c1c}.nothing{fill:#6b7280}polyline{fill:none;stroke-width:2}"""
_UNIT, _W, _H = 44, 520.0, 220.0
_LEFT, _TOP, _RIGHT, _FLOOR = 52.0, 34.0, 508.0, 132.0
_WIDE = 82
"""Letters of a legend's line."""


def _widget(widget: dict[str, Any], seen: Mapping[Key, Series], span: tuple[int, int]) -> str:
    told = widget["properties"]
    if told["view"] == "singleValue":
        return _figures(told["title"], figures(told["metrics"], seen), widget["width"] * _UNIT - 8)
    return _graph(told["title"], lines(told["metrics"], seen), span)


def figures(metrics: list[Any], seen: Mapping[Key, Series]) -> dict[str, str]:
    """The figures of a widget over all the time that there is, by label; "–" where nothing is divided by."""
    found, known = {}, {}
    searched = [row for row in metrics if "SEARCH" in str(row[-1])]
    named = [row for row in metrics if row not in searched and "expression" not in row[-1]]
    drawn = [*lines(named, seen), *lines(searched, seen)]
    for row, line in zip([*named, *([None] * len(drawn))], drawn, strict=False):
        total, options = sum(value for _, value in line.points), row[-1] if row else {}
        known[options.get("id", "")] = total
        if options.get("visible", True):
            found[line.label] = f"{total:g}"
    for row in metrics:
        if row not in searched and row not in named:
            found[row[-1]["label"]] = _computed(row[-1]["expression"], known)
    return found


def _computed(expression: str, known: Mapping[str, float]) -> str:
    plain = re.sub(r"FILL\((\w+), 0\)", r"\1", expression)
    numbers = re.sub(r"[a-z]\w*", lambda match: str(known[match[0]]), plain)
    if not re.fullmatch(r"[-+*/(). \d]+", numbers):
        raise ValueError(f"not drawn: {expression}")
    try:
        return f"{eval(numbers):g}"
    except ZeroDivisionError:
        return "–"


def _figures(title: str, found: Mapping[str, str], width: float) -> str:
    step = (width - 24) / max(len(found), 1)
    values = "".join(
        f'<text class="figure" x="{12 + step * number:g}" y="80">{escape(value)}</text>'
        f'<text class="small" x="{12 + step * number:g}" y="102">{escape(label)}</text>'
        for number, (label, value) in enumerate(found.items())
    )
    box = f'<rect class="box" width="{width:g}" height="{_H}" rx="6"/>'
    return f'{box}<text class="title" x="12" y="20">{escape(title)}</text>{values}'


def _svg(width: float, height: float, drawn: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}">'
        f'<style>{_STYLE}</style><rect width="100%" height="100%" fill="#f3f4f6"/>{drawn}</svg>\n'
    )


def _graph(title: str, drawn: list[Line], span: tuple[int, int]) -> str:
    shown = [line for line in drawn if any(value for _, value in line.points)]
    most = max((value for line in shown for _, value in line.points), default=1.0)
    begin, end = span

    def at(minute: int, value: float) -> tuple[float, float]:
        x = _LEFT + (minute - begin) / (end - begin) * (_RIGHT - _LEFT)
        return round(x, 1), round(_FLOOR - value / most * (_FLOOR - _TOP), 1)

    parts = [
        f'<rect class="box" width="{_W}" height="{_H}" rx="6"/>',
        f'<text class="title" x="12" y="20">{escape(title)}</text>',
        f'<path class="axis" d="M{_LEFT} {_TOP}V{_FLOOR}H{_RIGHT}"/>',
        f'<text class="small end" x="{_LEFT - 6}" y="{_TOP + 4}">{most:g}</text>',
        f'<text class="small" x="{_LEFT}" y="{_FLOOR + 14}">{_clock(begin)}</text>',
        f'<text class="small end" x="{_RIGHT}" y="{_FLOOR + 14}">{_clock(end)}</text>',
    ]
    for number, line in enumerate(shown):
        colour, places = _COLOURS[number % len(_COLOURS)], [at(*point) for point in line.points]
        path = " ".join(f"{x},{y}" for x, y in places)
        parts.append(f'<polyline points="{path}" stroke="{colour}"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in places]
    if not shown:
        parts.append(f'<text class="nothing" x="{_W / 2}" y="{(_TOP + _FLOOR) / 2}">0</text>')
    return "".join((*parts, *_legend([line.label for line in shown])))


def _legend(labels: list[str]) -> Iterator[str]:
    rows, used = [""], 0
    for number, label in enumerate(labels):
        if used + len(label) + 4 > _WIDE:
            rows, used = [*rows, ""], 0
        used += len(label) + 4
        rows[-1] += f'<tspan fill="{_COLOURS[number % len(_COLOURS)]}">● </tspan>{escape(label)}  '
    for number, row in enumerate(rows):
        yield f'<text class="small" x="12" y="{_FLOOR + 30 + 13 * number}" xml:space="preserve">{row}</text>'


def _clock(minute: int) -> str:
    return f"{datetime.fromtimestamp(minute * 60, UTC):%H:%M}"


def _state(alarm: dict[str, Any], seen: Mapping[Key, Series]) -> str:
    """OK or ALARM by the alarm's last period; missing data breaches only where the alarm says so."""
    metrics = [row["MetricStat"] for row in alarm.get("Metrics", ()) if "MetricStat" in row] or [
        {"Metric": alarm, "Stat": alarm.get("Statistic", "Sum"), "Period": alarm.get("Period", 300)}
    ]
    total, known = 0.0, False
    for each in metrics:
        metric = each["Metric"]
        named = frozenset((one["Name"], one["Value"]) for one in metric.get("Dimensions", ()))
        series = seen.get((metric.get("Namespace", ""), metric.get("MetricName", ""), named), {})
        points = _points(series, each["Stat"], each["Period"])
        known = known or bool(points)
        total += points[-1][1] if points else 0.0
    if not known:
        return "ALARM" if alarm.get("TreatMissingData") == "breaching" else "OK"
    above = {
        "GreaterThanThreshold": total > alarm.get("Threshold", 0),
        "GreaterThanOrEqualToThreshold": total >= alarm.get("Threshold", 0),
        "LessThanThreshold": total < alarm.get("Threshold", 0),
        "LessThanOrEqualToThreshold": total <= alarm.get("Threshold", 0),
    }
    return "ALARM" if above.get(alarm.get("ComparisonOperator", ""), False) else "OK"
