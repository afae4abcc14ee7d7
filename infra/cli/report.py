"""Everything that is known of an incident, gathered for `show` and for the decisions in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from functions.core.approval import links
from functions.core.approval.approvals import Approval, ApprovalStatus
from functions.core.approval.approvers import EVERYBODY, with_links
from functions.core.apps.app import App
from functions.core.incidents.incident import Incident
from functions.core.notify.counts import counted
from functions.core.notify.times import said_of
from functions.core.untrusted import hidden
from functions.core.workflow.artifacts import Artifact, Artifacts
from functions.core.workflow.evidence import Evidence
from functions.core.workflow.heal import Heal
from functions.core.workflow.tracking import DEPLOY, REVIEW_AND_MERGE
from infra.cli.audit_log import audit_log
from infra.cli.console import ago, command, plain, status_text
from infra.cli.evidence_table import evidence_table
from infra.cli.next_steps import NextStep, next_steps
from infra.target import Target

# Of a traceback that is longer, so many lines of either end are shown.
_SAMPLE_HEAD, _SAMPLE_TAIL = 20, 60


@dataclass(frozen=True)
class OtherAttempt:
    """An attempt of the same heal. title: of its proposal, "" for an answer that was none; findings: what
    spoke against it, and what was asked about it."""

    number: int
    title: str
    findings: tuple[str, ...]


@dataclass(frozen=True)
class IncidentReport:
    """An incident with the artifacts of its last attempt; what does not exist (yet) is None."""

    incident: Incident
    proposal: dict[str, Any] | None
    patch: str | None
    evidence: Evidence | None
    history: tuple[Approval, ...] = ()
    """Every approval that was asked for, the newest first."""
    source: dict[str, Any] | None = None
    """What FetchSource read: the commit, who named it, and how much there was."""
    outcome: dict[str, Any] | None = None
    """Who answered in the last attempt, and for how much (see `functions.propose_patch.step`)."""
    flag: str = ""
    """What a command needs to act on the same target again."""
    link: str = ""
    """The approval page, where whoever may read the link key may decide there as well."""
    attempts: tuple[OtherAttempt, ...] = ()
    """Of the heal, those whose patch is not the one shown."""
    answered_by: str = ""
    """What really answered, where the model's name does not say it."""
    costs_nothing: bool = False
    registered: bool = True
    """Whether its app has an entry."""
    seen: Evidence | None = None
    """What people decided by, where their approval holds for a later proof, which `evidence` is."""

    @property
    def answer(self) -> dict[str, Any] | None:
        """The model that was asked, what really answered, and what the heal cost; None if none was asked."""
        if not self.incident.attempts or self.outcome is None:
            return None
        listed, asked = round(self.incident.cost_usd, 6), self.outcome.get("model", "")
        return {
            "model": asked,
            "answered_by": self.answered_by or self.outcome.get("answered_by") or asked,
            "note": self.outcome.get("model_note", ""),
            "cost_usd": 0.0 if self.costs_nothing else listed,
            "list_price_usd": listed,
        }

    def next_steps(self) -> tuple[NextStep, ...]:
        """What can be done now, by those who may."""
        approvers = self.history[0].approvers if self.history else ()
        return next_steps(self.incident, self.flag, approvers=approvers, registered=self.registered)

    def to_json(self) -> dict[str, Any]:
        return {
            "incident": self.incident.to_json(),
            "source": self.source,
            "answer": self.answer,
            "link": self.link,
            "next": [asdict(step) for step in self.next_steps()],
            "proposal": self.proposal,
            "patch": self.patch,
            "evidence": self.evidence.to_json() if self.evidence else None,
            "evidence_seen": self.seen.to_json() if self.seen else None,
            "attempts": [asdict(attempt) for attempt in self.attempts],
            "decisions": [approval.audit() for approval in self.history],
        }


def gather(target: Target, incident: Incident) -> IncidentReport:
    """Read the artifacts of the incident's last attempt."""
    heal = Heal(
        incident.incident_id, incident.app, incident.execution_arn.rsplit(":", 1)[-1], incident.attempts
    )
    artifacts = target.artifacts
    app = target.registry.entries().get(incident.app)
    here: dict[str, Any] = {"flag": target.flag, "registered": app is not None}
    if not (isinstance(app, App) and app.model_url):
        here |= {"answered_by": target.answered_by, "costs_nothing": target.costs_nothing}
    source = artifacts.find_json(heal.key(Artifact.SOURCE_TOLD)) if incident.execution_arn else None
    if not incident.execution_arn or not incident.attempts:
        return IncidentReport(incident, None, None, None, source=source, **here)
    history = tuple(target.approvals.history(incident.approval_id))
    # What was asked about is shown by its hashes: it is that, or an error.
    asked = next((one for one in history if (one.heal_id, one.attempt) == (heal.heal_id, heal.attempt)), None)
    of = (asked.carried_to or asked.evidence_key) if asked else heal.attempt_key(Artifact.EVIDENCE)
    evidence = artifacts.find_json(of)
    seen = artifacts.find_json(asked.evidence_key) if asked and asked.carried_to else None
    try:
        patch = artifacts.get_text(asked.patch_key if asked else heal.attempt_key(Artifact.PATCH))
    except ClientError:
        patch = None
    return IncidentReport(
        incident,
        artifacts.find_json(asked.proposal_key if asked else heal.attempt_key(Artifact.PROPOSAL)),
        patch,
        Evidence.from_json(evidence) if evidence else None,
        history,
        source,
        artifacts.find_json(heal.attempt_key(Artifact.OUTCOME)),
        attempts=tuple(_others(artifacts, heal, asked.of_attempt if asked else heal.attempt)),
        link=_page_link(target, history[0]) if history else "",
        seen=Evidence.from_json(seen) if seen else None,
        **here,
    )


def _others(artifacts: Artifacts, heal: Heal, shown: int) -> Iterator[OtherAttempt]:
    for number in range(1, heal.attempt + 1):
        if number != shown:
            proposed = artifacts.find_json(heal.attempt_key(Artifact.PROPOSAL, number)) or {}
            found = artifacts.find_json(heal.attempt_key(Artifact.FINDINGS, number)) or {}
            yield OtherAttempt(number, proposed.get("title", ""), tuple(found.get("findings", ())))


def _page_link(target: Target, question: Approval) -> str:
    """The page's link that everybody was sent; "" where each approver has one of their own, where nothing is
    asked any more, and for a caller who may not read the key that signs links."""
    if question.approvers or question.status is not ApprovalStatus.PENDING:
        return ""
    try:
        value = target.session.client("ssm").get_parameter(Name=target.names.link_key, WithDecryption=True)
    except ClientError:
        return ""
    keys = links.parse_keys(value["Parameter"]["Value"])
    link = links.Link(question.approval_id, EVERYBODY, question.expires_at)
    return links.url(question.page, link, keys[0])


def render(report: IncidentReport) -> RenderableType:
    """The whole report for a terminal."""
    incident = report.incident
    parts: list[RenderableType] = [facts(incident, report.source, report.answer)]
    if asked := _asked(report):
        parts += [Text(), Rule("Asked", align="left"), plain(asked)]
    if incident.sample:
        parts += [Text(), Rule("Traceback", align="left"), traceback(incident)]
    if report.proposal and not _is_the_end(report.proposal, incident):
        parts += [Text(), Rule("Proposal", align="left"), proposal(report.proposal)]
    if report.patch:
        parts += [Text(), Rule("Patch", align="left"), diff(report.patch)]
    if report.evidence:
        parts += [Text(), Rule("Evidence", align="left"), evidence_table(report.evidence)]
    if report.seen:
        parts += [Text(), Rule("Evidence when it was approved", align="left"), evidence_table(report.seen)]
    if report.attempts:
        parts += [Text(), Rule("Other attempts", align="left"), *map(_other, report.attempts)]
    if report.history:
        parts += [Text(), Rule("Decisions", align="left"), audit_log(report.history)]
    parts += [Text(), Rule("Next", align="left"), what_next(incident, report.flag, found=report.next_steps())]
    return Group(*parts)


def what_next(
    incident: Incident, flag: str, here: str = "", found: Sequence[NextStep] | None = None
) -> RenderableType:
    """What the heal's end left to people, in its own words, and what else can be done: each command once.

    here: the command that says so, which is not named as the next one; found: what else can be done, where
    more is known of that than the incident tells."""
    known = next_steps(incident, flag) if found is None else found
    found = [step for step in known if not here or step.command != f"{here}{flag}"]
    advice = incident.next_action
    bare = [step.command.removesuffix(flag) for step in found]
    if advice in ("", REVIEW_AND_MERGE, DEPLOY, *bare):
        return steps(found)
    left = [step for step, said in zip(found, bare, strict=True) if not said or said not in advice]
    return Group(_whole(command(advice, flag)), *([steps(left)] if left else ()))


def _whole(text: str) -> Text:
    """A text that is not broken at the terminal's width: it may hold a command."""
    whole = plain(text)
    whole.no_wrap, whole.overflow = True, "ignore"
    return whole


def _other(attempt: OtherAttempt) -> Text:
    title = attempt.title or "an answer that was no usable patch"
    lines = [plain(f"{attempt.number}  {title}", "bold")]
    return Text("\n").join([*lines, *(plain(f"   • {finding}") for finding in attempt.findings)])


NOTHING_BETTER = "changes were asked for, and nothing better could be proven; this is the patch as it was"


def _asked(report: IncidentReport) -> str:
    """Who was asked, and where they decide; "" where nothing is asked now."""
    question = report.history[0] if report.history else None
    if question is None or question.status is not ApprovalStatus.PENDING:
        return ""
    kept = f"{NOTHING_BETTER}: {question.standing}\n" if question.standing else ""
    return kept + _where_asked(report, question)


def _where_asked(report: IncidentReport, question: Approval) -> str:
    if report.link:
        return f"the page: {report.link}"
    people = ", ".join(with_links(question.approvers)) or "the subscribers of the team's topic"
    if question.tell_at and not question.told_at:
        at = datetime.fromtimestamp(question.tell_at, UTC)
        return f"waits for the end of quiet hours, and is sent to {people} at {at:%Y-%m-%d %H:%M} UTC"
    shown = f"; {command('selfheal inbox')} shows the link" if report.flag else ""
    return f"sent to {people}{shown}"


def traceback(incident: Incident) -> RenderableType:
    """The log text of one occurrence; of a long one its beginning and its end, where the error is."""
    lines = incident.sample.strip("\n").split("\n")
    left = len(lines) - _SAMPLE_HEAD - _SAMPLE_TAIL
    if left > 0:
        whole = command(f"selfheal show {incident.incident_id} --json")
        note = f"… {counted(left, 'line is', 'lines are')} left out here; all of them: {whole}"
        lines = [*lines[:_SAMPLE_HEAD], note, *lines[-_SAMPLE_TAIL:]]
    return plain("\n".join(lines))


def steps(steps: Sequence[NextStep]) -> RenderableType:
    """What can be done now: why, and below it the command, in one piece: it is to be pasted."""
    lines = []
    for step in steps:
        lines.append(plain(command(step.why)))
        if step.command:
            lines.append(plain(f"  {command(step.command)}", "cyan"))
    return Text("\n", no_wrap=True, overflow="ignore").join(lines)


def facts(
    incident: Incident, source: dict[str, Any] | None = None, answer: dict[str, Any] | None = None
) -> RenderableType:
    """What broke, how often, where it stands, which revision was read, and who answered."""
    read = source or {"base_sha": incident.base_sha, "reason": ""}
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    grid.add_row("status", status_text(incident.status))
    grid.add_row("app", plain(incident.app))
    grid.add_row("class", plain(f"{incident.error_class}: {incident.class_reason}"))
    grid.add_row("seen", plain(f"{max(1, incident.occurrences)} ×, first {_time(incident.first_seen)}"))
    grid.add_row("last", plain(f"{_time(incident.last_seen)} ({ago(incident.last_seen)})"))
    for name, value in (
        ("where", _where(incident)),
        ("not", ", ".join(f"line {line} in {twin}" for line, twin in sorted(incident.twins.items()))),
        ("log stream", f"{incident.log_group} {incident.log_stream}"),
        ("execution", incident.execution_arn),
        ("attempts", str(incident.attempts or "")),
        ("answered by", _answered(answer)),
        ("cost", _cost(incident, answer)),
        ("read", f"{read.get('deployed_sha') or read['base_sha']} {read['reason']}".strip()),
        ("base", read["base_sha"]),
        ("python", _python(read.get("python"))),
        ("patch", f"sha256 {incident.patch_sha256}" if incident.patch_sha256 else ""),
        ("branch", incident.branch),
        ("pull request", incident.pull_request_url),
        ("regressed from", incident.regressed_from),
        ("healed with", incident.joined_to),
        ("heals as well", ", ".join(incident.joined)),
        ("reason", incident.reason),
        ("higher mode", incident.higher_mode),
    ):
        if value:
            grid.add_row(name, plain(value))
    title = plain(incident.incident_id, "bold")
    return Panel(Group(plain(incident.title, "bold red"), Text(), grid), title=title, title_align="left")


def _answered(answer: dict[str, Any] | None) -> str:
    if not answer:
        return ""
    asked, really = answer["model"], answer["answered_by"]
    told = really if really == asked or not asked else f"{really} (asked as {asked})"
    return "; ".join(filter(None, (told, answer["note"])))


def _time(text: str) -> str:
    return said_of(text, form="%Y-%m-%d %H:%M:%S")


def _cost(incident: Incident, answer: dict[str, Any] | None) -> str:
    """What the heal cost; of a model that costs nothing, what its budget was charged with."""
    if not incident.attempts:
        return ""
    if answer and answer["cost_usd"] != answer["list_price_usd"]:
        return f"nothing; counted as ${answer['list_price_usd']:.4f}, the list price of the model asked for"
    cost = f"${incident.cost_usd:.4f}" if incident.cost_usd else "nothing"
    return f"{cost} at list prices, or the app's own"


def _python(found: dict[str, str] | None) -> str:
    return f"{found['version']} {found['why']}" if found else ""


def _where(incident: Incident) -> str:
    own = [frame for frame in incident.frames if frame.in_app] or list(incident.frames)
    if not own:
        return ""
    last = own[-1]
    return f"{last.file}:{last.line} in {incident.qualified or last.function}: {last.code}"


def _is_the_end(data: dict[str, Any], incident: Incident) -> bool:
    """Whether it abstained for what the incident says already: why it ended, and what comes next."""
    said = str(data.get("reason") or "")
    return bool(said) and said in incident.reason and not data.get("root_cause")


def proposal(data: dict[str, Any]) -> RenderableType:
    """Root cause and explanation, or the reason for abstaining."""
    rows = [
        (name, str(data[name]))
        for name in ("title", "root_cause", "explanation", "reason", "next_action", "confidence")
        if data.get(name) is not None
    ]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(name.replace("_", " "), plain(value))
    return grid


_DIFF_STYLES = (("+++", "bold"), ("---", "bold"), ("@@", "cyan"), ("+", "green"), ("-", "red"))


def diff(patch: str) -> RenderableType:
    """The patch in colours, its lines as they are; before it, what eyes would miss in it."""
    lines = [plain(warning, "bold red") for warning in _disguises(patch)]
    for line in patch.removesuffix("\n").split("\n"):
        default = "" if line.startswith(" ") else "dim"
        style = next((style for start, style in _DIFF_STYLES if line.startswith(start)), default)
        lines.append(plain(line, style))
    # Whole, however narrow the terminal: it is copied, and applied.
    return Text("\n", no_wrap=True, overflow="ignore").join(lines)


def _disguises(patch: str) -> Iterator[str]:
    for what, found in hidden.disguises(patch).items():
        yield f"The patch contains {what}: {', '.join(found[:20])}"
