"""Renders the pages. All text was written by strangers, so all of it passes `spelled_out` and autoescape."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from functions.core.approval.approvals import Approval
from functions.core.approval.approvers import person
from functions.core.approval.decisions import COMMENT_LIMIT, REJECT_REASONS, Standing
from functions.core.aws.console import Console
from functions.core.incidents.incident import Incident
from functions.core.notify.commands import Commands
from functions.core.notify.times import said
from functions.core.untrusted import hidden
from functions.core.workflow.evidence import BEHAVIOUR, GateResult, in_words
from functions.decide_approval import diff, overview, sparkline, timeline, traceback
from functions.decide_approval.case import Case
from functions.decide_approval.follow import Progress, is_web
from functions.decide_approval.overview import Overview

_HERE = Path(__file__).parent
# Lines of a patch up to which it is also shown side by side, which takes as many bytes again.
_SIDE_BY_SIDE = 300
_STATIC = {
    "style.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class FormInput:
    """What a person had typed into a form that could not be accepted, and why not."""

    decision: str = ""
    comment: str = ""
    reason: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """Where somebody can go on. `ours`: the address is below the page's base address."""

    label: str
    address: str
    ours: bool = True


@dataclass(frozen=True, slots=True)
class Notice:
    """A page without any information about an incident: closed or unusable links, and errors."""

    status: int
    title: str
    text: str
    ways: tuple[Way, ...] = ()


FORGED = Notice(
    403,
    "This link is not valid",
    "It is incomplete or was changed. Open the link from the notification again, whole and unbroken.",
)
EXPIRED = Notice(
    410,
    "This link has expired",
    "Nobody decided in time, or the workflow no longer waits. If the heal is redriven, a new link is sent.",
)
SUPERSEDED = Notice(
    410,
    "A newer link replaces this one",
    "The question was asked again: there is a newer proposal, or the heal was redriven. "
    "Use the link from the latest notification.",
)
GONE = Notice(410, "This approval no longer exists", "Its record was deleted some time after it ended.")
MOVED = Notice(
    410,
    "This incident is kept elsewhere, or no more",
    "Its app was given another name, or its record was deleted some time after it ended. "
    "Whatever was decided here stands. `selfheal incidents` lists all that there is.",
)
STOPPED = Notice(
    410,
    "This heal has stopped",
    "Its execution ended before anybody decided. When it is redriven, a new link is sent.",
)
CHANGED = Notice(
    409,
    "What is stored is not what was proven",
    "The hash of the patch, its evidence or its description differs, so nothing can be decided here. "
    "Tell whoever operates this system.",
)
NOT_ALLOWED = Notice(
    403,
    "You are not among the approvers",
    "The app names who may decide about its patches, and this link's recipient is none of them.",
)
TOO_MANY = Notice(
    429,
    "Too many tries",
    "This link was used to decide so often that it is closed. The `selfheal` commands still decide.",
)
STALE_FORM = Notice(
    403,
    "Nothing was decided",
    "The decision did not come from the page that your link shows. Open the link again and decide there.",
)
BAD_REQUEST = Notice(400, "Nothing was decided", "The form was incomplete. Open the link again.")
NOT_FOUND = Notice(404, "There is nothing here", "Open the link from the notification.")
BROKEN = Notice(
    500,
    "Something went wrong on our side",
    "Reload the page in a moment. A decision that was recorded is delivered by itself.",
)


def notice(page: Notice, depth: int = 1, commands: Commands = Commands()) -> str:  # noqa: B008 - frozen
    """A notice; `depth` is the number of path segments below the base address, for relative addresses."""
    return _render("notice.html", depth, commands, page=page)


def nobody(why: str) -> Notice:
    """What somebody is told whose sign-in names nobody."""
    return Notice(
        403, "It is not clear who you are", f"{why} Ask whoever runs your sign-in, then sign in again."
    )


def used(approval: Approval) -> Notice:
    """What somebody is told who comes after the decision: what was decided, by whom and when."""
    words = {"approve": "approved", "revise": "sent back for changes", "reject": "rejected"}
    decided = words.get(approval.decision, "decided")
    text = Markup("The patch was {} by {} on {}. A link decides once.")
    by = hidden.spelled_out(approval.deciders)
    at = _time(approval.decided_at, approval.time_zone)
    return Notice(410, "This has been decided", text.format(decided, by, at))


def endorsed(approval: Approval) -> Notice:
    """What the first of two approvers is told, from the click until the second one has decided."""
    text = Markup(
        "Recorded as {} on {}. Another person must approve it as well; then it is committed, and a pull "
        "request is opened."
    )
    at = _time(approval.first_at, approval.time_zone)
    return Notice(200, "You approved the patch", text.format(hidden.spelled_out(approval.first_by), at))


def closed(standing: Standing, approval: Approval | None) -> Notice:
    """The notice for an approval that is not open for a decision."""
    if standing is Standing.ALREADY_DECIDED and approval is not None:
        return used(approval)
    if standing is Standing.ENDORSED and approval is not None:
        return endorsed(approval)
    notices = {
        Standing.EXPIRED: EXPIRED,
        Standing.SUPERSEDED: SUPERSEDED,
        Standing.NOT_ALLOWED: NOT_ALLOWED,
    }
    return notices.get(standing, GONE)


def approval_page(
    case: Case,
    recipient: str,
    form_token: str,
    draft: FormInput,
    everything: str,
    *,
    commands: Commands,
    console: Console,
) -> str:
    """The page on which a human decides. `everything`: the list's address below the base address."""
    incident, evidence = case.incident, case.evidence
    return _render(
        "approval.html",
        1,
        commands,
        case=case,
        incident=incident,
        proposal=case.proposal,
        evidence=evidence,
        behaviour=BEHAVIOUR,
        spark=sparkline.sparkline(case.frequency, datetime.now(UTC)),
        said=overview.SAID,
        message=_message(incident),
        **_place(case),
        files=(files := diff.parse(case.patch)),
        side_by_side=sum(len(file.rows) for file in files) <= _SIDE_BY_SIDE,
        disguises=hidden.disguises(case.patch),
        stretches=traceback.stretches(incident.frames, incident.qualified),
        pairs={gate.gate: _pair(gate) for gate in evidence.gates},
        recipient=recipient,
        form_token=form_token,
        everything=everything,
        alone=case.approval.suffices(person(recipient)) or bool(case.approval.first_by),
        draft=draft,
        reasons=REJECT_REASONS,
        comment_limit=COMMENT_LIMIT,
        expires=datetime.fromtimestamp(case.approval.expires_at, UTC).isoformat(),
        zone=case.approval.time_zone,
        links=_links(case, console),
    )


def progress_page(progress: Progress, token: str, everything: str, *, still: bool, commands: Commands) -> str:
    """What happens after the decision. `token` is the page's own; `still`: the reader wants no reloading."""
    return _render(
        "progress.html",
        2,
        commands,
        progress=progress,
        token=token,
        everything=everything,
        still=still,
        zone=progress.zone,
        picture=timeline.picture(progress.visits, progress.now),
        rows=timeline.rows(progress.visits, progress.now),
    )


def list_page(found: Overview, recipient: str, depth: int, *, signed_in: bool, commands: Commands) -> str:
    """What waits for somebody, what is under way, what happened lately; `depth` as for a notice."""
    return _render("list.html", depth, commands, overview=found, recipient=recipient, signed_in=signed_in)


def static(name: str) -> tuple[str, str] | None:
    """Content type and text of a static file; None when there is none of this name."""
    return (_STATIC[name], (_HERE / "static" / name).read_text("utf-8")) if name in _STATIC else None


def _message(incident: Incident) -> str:
    """The exception's message: the title without the type that leads it."""
    return incident.title.removeprefix(incident.error_type).lstrip(": ")


def _pair(gate: GateResult) -> bool:
    """Whether the gate shows the same thing failing before the patch and passing after it."""
    passed = {run.tree: run.exit_code == 0 for run in gate.runs}
    return passed.get("before") is False and passed.get("after") is True


def _place(case: Case) -> dict[str, str]:
    """Where the error is, as a path and a line, where the forge shows it, and in which function."""
    own = [frame for frame in case.incident.frames if frame.in_app]
    last, origin = (own[-1] if own else None), case.origin
    printed = f"{last.file}:{last.line}" if last and last.line else last.file if last else ""
    return {
        "place": origin.place if origin else printed,
        "place_url": origin.url if origin and is_web(origin.url) else "",
        "function": last.function or "" if last else "",
    }


def _links(case: Case, console: Console) -> Mapping[str, str]:
    approval, incident = case.approval, case.incident
    found = {f"Execution in the {console.name}": console.execution(approval.execution_arn)}
    if incident.log_group and incident.log_stream:
        address = console.log_stream(approval.execution_arn, incident.log_group, incident.log_stream)
        found["Log stream"] = address
    if approval.repository.startswith(("https://", "http://")):
        found["Repository"] = approval.repository.removesuffix(".git")  # what a browser opens
    if incident.regressed_from.startswith(("https://", "http://")):
        found["Earlier fix that did not last"] = incident.regressed_from
    return found


def _render(template: str, depth: int, commands: Commands, **values: Any) -> str:
    common = {"base": "../" * depth, "version": _version(), "commands": commands}
    return _environment().get_template(template).render(**common, **values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {
        "moment": _moment,
        "pasted": _pasted,
        "clock": _clock,
        "visible": hidden.spelled_out,
        "prose": _prose,
        "message": _message,
        "check": in_words,
    }
    return environment


def _finalize(value: Any) -> Any:
    """Applied by Jinja to everything it prints, before it escapes."""
    return hidden.spelled_out(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _version() -> str:
    """Changes with the static files, which browsers may therefore keep."""
    files = (_HERE / "static" / name for name in sorted(_STATIC))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:10]


def _prose(text: str) -> Markup:
    """Text with its `code` set as code, as models write it; nothing else is markup."""
    parts = re.split(r"`([^`\n]+)`", hidden.spelled_out(text))
    # Every other part is what stood between backticks.
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else escape(part) for i, part in enumerate(parts)
    )


@pass_context
def _moment(context: Context, text: str) -> Markup:
    return _time(text, context.get("zone") or "")


@pass_context
def _pasted(context: Context, text: str) -> str:
    """Text with commands of ours, as they work when they are pasted."""
    commands: Commands = context["commands"]
    # What is markup would not be any more; it names no command.
    return text if isinstance(text, Markup) else commands.pasted(text)


@pass_context
def _clock(context: Context, text: str) -> Markup:
    """The time of day alone, to the second."""
    zone = context.get("zone") or ""
    at = datetime.fromisoformat(text).astimezone(ZoneInfo(zone) if zone else UTC)
    words = Markup('<time class="clock" datetime="{}">{}</time>')
    return words.format(at.isoformat(timespec="seconds"), f"{at:%H:%M:%S %Z}")


def _time(text: str, zone: str = "", form: str = "%-d %b %Y, %H:%M") -> Markup:
    """An ISO 8601 time in words, which the page's script puts on the reader's own clock; other text as it is,
    because it may come from a log."""
    try:
        at = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return escape(hidden.spelled_out(text))
    words = Markup('<time datetime="{}">{}</time>')
    return words.format(at.isoformat(timespec="seconds"), said(at, zone, form))
