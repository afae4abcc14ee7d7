"""What happens on a pull request that is open: its checks, and what people say.

    checks green              a draft becomes ready
    red, and was not before   the findings start another heal on the same branch
    red before the patch too  said, not repaired
    /self-heal revise ...     by somebody who may push, or their review that asks for changes: another heal

Whoever asks there is answered there: that it is heard, what came of it, or why nothing does.

A heal that follows up has the same gates, and its patch is approved anew. It replaces the commit of the one
before, and nobody else's: where somebody has pushed to the branch, it is theirs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from functions.core.apps.app import App
from functions.core.forge.port import Check, Conclusion, Forge, PullRequest, Remark
from functions.core.incidents.incident import Incident, Status
from functions.core.notify.commands import Commands
from functions.core.notify.counts import often
from functions.core.untrusted.inert import inert_line
from functions.core.untrusted.redaction import redact
from functions.core.workflow.errors import ForgeAccessDenied

_REVISE = re.compile(r"^/self-heal +revise\b[ :]*(.*)", re.M | re.S)
_FAILED = re.compile(r"^(?:FAILED|ERROR) +(\S+::\S+)|^(?:FAIL|ERROR): (\S+ \(\S+\))", re.M)
"""A failing test as pytest's short summary names it, or as unittest does."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_MOST_CHECKS, _MOST_LINES, _MOST_TEXT, _MOST_COMMENT = 3, 25, 2_000, 4_000


@dataclass(frozen=True, slots=True)
class Heard:
    """What somebody who may push asked for, and when; until when remarks were looked at."""

    comment: str
    until: str
    asked: str = ""


def followed(
    app: App, incident: Incident, pull: PullRequest, forge: Forge, commands: Commands
) -> dict[str, Any]:
    """What changes with an incident whose pull request is open; nothing while there is nothing new."""
    remarks = forge.remarks(pull.number)
    page = _Page(forge, pull.number, remarks, commands)
    heard = _heard(incident, remarks, forge)
    if pull.head_sha != incident.commit_sha:
        # A heal of before commits were kept has none: nothing on its branch may be replaced.
        return _theirs(incident, pull, heard, page)
    if incident.follow_ups:
        page.say(_came_of_it(incident), f"follow-up {incident.follow_ups}")
    if heard.comment:
        again = _again(app, incident, "review", heard.comment, ())
        said = _HEARD if "status" in again else again["next_action"]
        page.say(said, f"asked {heard.asked}")
        return {"heard_until": heard.until, **again}
    news: dict[str, Any] = {"heard_until": heard.until} if heard.until != incident.heard_until else {}
    if incident.checked_sha == pull.head_sha:
        return news
    try:
        checks, before = forge.checks(pull.head_sha), forge.checks(incident.base_sha)
    except ForgeAccessDenied:
        told = "The checks of the pull request cannot be read: give the token (or App) read access to checks"
        return news | {"checked_sha": pull.head_sha, "next_action": f"{told}. Review and merge it."}
    return news | _checked(app, incident, pull, forge, checks, before)


@dataclass(frozen=True, slots=True)
class _Page:
    """A pull request's page, on which each thing is said once, however often it is looked at."""

    forge: Forge
    number: int
    remarks: Sequence[Remark]
    commands: Commands

    def say(self, text: str, about: str) -> None:
        """about: what tells this from all else that is said there."""
        mark = f"<!-- self-heal: {about} -->"
        if not any(mark in one.text for one in self.remarks):
            self.forge.remark(self.number, f"{self.commands.pasted(inert_line(text))}\n\n{mark}")


def say_it_stopped(incident: Incident, number: int, forge: Forge, commands: Commands) -> None:
    """Say on the pull request that the heal which was to revise it failed, and how it goes on."""
    page = _Page(forge, number, forge.remarks(number), commands)
    page.say(
        f"The heal that was to revise this stopped; the pull request stays as it is. {incident.reason}"
        f" To go on: {incident.next_action}",
        f"stopped {incident.redrivable_until}",
    )


def _theirs(incident: Incident, pull: PullRequest, heard: Heard, page: _Page) -> dict[str, Any]:
    news: dict[str, Any] = {"heard_until": heard.until} if heard.until != incident.heard_until else {}
    if heard.comment:
        page.say(_THEIRS, f"asked {heard.asked}")
    if not incident.commit_sha or incident.checked_sha == pull.head_sha:
        return news
    told = "Somebody pushed to the branch of the pull request: it is theirs now. Review and merge it."
    return news | {"checked_sha": pull.head_sha, "next_action": told}


_HEARD = (
    "Heard: another heal begins, and its patch takes the place of this one if it is proven and"
    " approved. What comes of it is answered here."
)
_THEIRS = (
    "Nothing is revised: somebody pushed to this branch, so it is theirs now. Change it by hand, or close"
    " this without merging."
)


def _came_of_it(incident: Incident) -> str:
    """What became of the last heal that followed up, and what can be done now."""
    if incident.reason:
        return f"{incident.reason} {incident.next_action}"
    return (
        f"Revised, as {incident.commit_sha[:10]}: the description says what changed and what proves it."
        " Review and merge it, or ask again: /self-heal revise ..."
    )


def _heard(incident: Incident, remarks: Sequence[Remark], forge: Forge) -> Heard:
    since = datetime.fromisoformat(incident.heard_until) if incident.heard_until else None
    new = [one for one in remarks if since is None or datetime.fromisoformat(one.at) > since]
    asking = [one for one in new if one.asks_changes or _REVISE.search(one.text)]
    trusted = {author for author in {one.author for one in asking} if forge.may_push(author)}
    said = [
        found[1].strip() if (found := _REVISE.search(one.text)) else one.text.strip()
        for one in new
        if one in asking or any(o.asks_changes and o.author == one.author for o in asking)
        if one.author in trusted
    ]
    comment = "\n".join(filter(None, said)) or ("Changes were requested." if said else "")
    until = new[-1].at if new else incident.heard_until
    return Heard(redact(comment)[:_MOST_COMMENT], until, max((one.at for one in asking), default=""))


def _checked(
    app: App,
    incident: Incident,
    pull: PullRequest,
    forge: Forge,
    checks: Sequence[Check],
    before: Sequence[Check],
) -> dict[str, Any]:
    if any(check.conclusion is Conclusion.PENDING for check in checks) or (before and not checks):
        return {}  # they go on, or have not begun
    red = [check for check in checks if check.conclusion is Conclusion.FAILED]
    was_red = {check.name for check in before if check.conclusion is Conclusion.FAILED}
    mine = [check for check in red if check.name not in was_red]
    done = {"checked_sha": pull.head_sha}
    if mine:
        findings = tuple(_finding(check, forge.output(check)) for check in mine[:_MOST_CHECKS])
        return done | _again(app, incident, "checks", "", findings)
    if red:
        names = ", ".join(check.name for check in red)
        told = f"The repository's checks fail with and without the patch: {names}. Review and merge it."
        return done | {"next_action": told}
    if pull.draft and checks:
        forge.ready(pull.number)
    return done


def _finding(check: Check, printed: str) -> str:
    """The job, the tests that failed in it, and its last lines."""
    text = redact(_COLOURS.sub("", printed))
    failed = [one or other for one, other in _FAILED.findall(text)]
    lines = "\n".join(text.strip().splitlines()[-_MOST_LINES:])[-_MOST_TEXT:]
    tests = f"failing: {', '.join(dict.fromkeys(failed))}\n" if failed else ""
    return f"check {check.name} failed on the pull request\n{tests[:_MOST_TEXT]}{lines}".strip()


def _again(app: App, incident: Incident, why: str, comment: str, findings: Sequence[str]) -> dict[str, Any]:
    if incident.follow_ups >= app.max_attempts:
        told = f"It was revised {often(incident.follow_ups)}, the most that {app.name} has. Mend it by hand."
        return {"next_action": told}
    return {
        "status": str(Status.NEW),
        "follow_up": {
            "why": why,
            "comment": comment,
            "findings": list(findings),
            "heard_before": incident.heard_until,
        },
        "follow_ups": incident.follow_ups + 1,
        "execution_arn": "",
        "reason": "",
        "next_action": "",
    }
