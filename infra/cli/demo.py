"""The demonstration: a service crashes, and everything up to the pull request happens, for real, in view."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from functions.core.approval.approvals import Verdict
from functions.core.approval.decisions import Standing
from functions.core.approval.orders import Order
from functions.core.incidents.incident import Incident, Status
from functions.core.notify.times import duration
from infra.cli.console import command, out, plain
from infra.cli.evidence_table import evidence_table
from infra.cli.history import read_history
from infra.cli.report import IncidentReport, diff, facts, gather, proposal
from infra.deciding import decide
from infra.errors import UserError
from infra.local import run as embedded
from infra.local.crash import CRASHES, request
from infra.local.home import own
from infra.target import Target

if TYPE_CHECKING:
    from github.PullRequest import PullRequest


_PATIENCE_SECONDS = 90
_POLL_SECONDS = 0.1
_OVER = tuple(status for status in Status if not status.goes_on and status is not Status.PR_OPEN)


class DemoFailed(Exception):
    """A stage did not do what it must; the message says which, why, and how to look."""


class Stages:
    """Prints each stage with its time, as it happens."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._number = 0

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """A stage: its title when it begins, its time when it ends."""
        self._number += 1
        began = time.monotonic()
        out.print(Text.assemble((f"\n{self._number}  ", "bold cyan"), (title, "bold")))
        try:
            yield
        except DemoFailed:
            raise
        except Exception as error:
            raise DemoFailed(f"stage {self._number} ({title}): {type(error).__name__}: {error}") from error
        self.line(f"done in {duration(time.monotonic() - began)}", "dim")

    def line(self, text: str, style: str = "") -> None:
        """One line of what happens, with the time since the demonstration began."""
        since = f"{time.monotonic() - self._began:6.1f} s  "
        out.print(Text.assemble((since, "dim"), plain(text, style)), soft_wrap=True)


def demo(*, keep: bool, home: Path | None = None, crash: str = "quote") -> None:
    """Run the demonstration. Uses the run of `home` if there is one, else starts one and ends it again.

    keep: leave a run that was started here running. Raises UserError when a stage fails.
    """
    stages = Stages()
    home = home or own()
    running = embedded.find(home)
    mine = running is None
    finished = False
    try:
        if running is None:
            with stages.stage("Start AWS, a git forge and a model, on this machine"):
                running = embedded.start(home, stages.line)
        _heal(stages, running, crash)
        finished = True
    except DemoFailed as error:
        raise UserError(str(error), f"look into {home}/*.log and {home}/aws/emulator.log") from error
    finally:
        if running and mine and not (keep and finished):
            if finished:
                _linger(running)
            running.stop()
    _say_goodbye(running, kept=keep or not mine)


def _heal(stages: Stages, running: embedded.EmbeddedRun, name: str) -> None:
    target = running.target()
    before = {i.incident_id: i for i in target.incidents.recent()}
    crash = CRASHES[name]
    with stages.stage(f"Crash the sample service: {crash.says}"):
        good = request(target, crash.works or {})
        stages.line(f"{crash.works} → {good.payload}")
        bad = request(target, crash.crashes)
        crashed_at = time.monotonic()
        if good.error or not bad.error:
            raise DemoFailed("the sample service did not behave: it must answer first, and then crash")
        stages.line(f"{crash.crashes} → {bad.error}: {bad.payload.get('errorMessage')}", "red")

    with stages.stage("Notice the error and heal it: Step Functions runs the workflow"):
        incident = _await_incident(target, before)
        stages.line(f"incident {incident.incident_id}: {incident.title}", "bold")
        incident = _follow(stages, target, incident, until=Status.AWAITING_APPROVAL)
        stages.line(f"from log line to waiting approval: {duration(time.monotonic() - crashed_at)}", "green")

    report = gather(target, incident)
    _show(report)
    with stages.stage("Approve exactly these bytes, through the task callback"):
        patch_sha = incident.patch_sha256
        answer = decide(target, Order(incident.approval_id, patch_sha, Verdict.APPROVE, "demo"))
        if answer.standing is not Standing.ACCEPTED:
            raise DemoFailed(f"the approval was not accepted: {answer.standing}")
        approved_at = time.monotonic()
        stages.line(f"approved patch sha256 {patch_sha} on base {incident.base_sha}")

    with stages.stage("Commit, and open the pull request"):
        incident = _follow(stages, target, incident, until=Status.PR_OPEN)
        stages.line(f"from approval to pull request: {duration(time.monotonic() - approved_at)}", "green")
        verify(target, running, report, incident)
        stages.line(f"branch {incident.branch}: its head holds exactly the approved bytes", "green")
        stages.line(f"pull request {incident.pull_request_url}", "bold green")
    stages.line(f"memory of the whole embedded run: {running.memory() / 2**20:.0f} MiB", "dim")


def _await_incident(target: Target, before: dict[str, Incident]) -> Incident:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for incident in target.incidents.recent():
            old = before.get(incident.incident_id)
            if old is None:
                return incident
            if incident.occurrences > old.occurrences:
                raise DemoFailed(
                    f"this error is known already: {incident.incident_id} ({incident.status}); "
                    "crash it differently (--crash), or start afresh: make down, make demo"
                )
        time.sleep(_POLL_SECONDS)
    raise DemoFailed("no incident was recorded: look at the log group of detect_errors")


def _follow(stages: Stages, target: Target, incident: Incident, *, until: Status) -> Incident:
    """Print each state as it is left, until the incident has the status. Raises DemoFailed otherwise."""
    printed: set[tuple[str, datetime]] = set()
    if until is Status.PR_OPEN:
        printed = {(v.state, v.entered) for v in read_history(target, incident)[1] if v.exited}
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        incident = target.incidents.get(incident.incident_id)
        if incident.execution_arn:
            for visit in read_history(target, incident)[1]:
                key = (visit.state, visit.entered)
                if visit.exited and visit.kind == "Task" and key not in printed:
                    printed.add(key)
                    stages.line(f"  ✔ {visit.state}  {duration(visit.seconds(datetime.now(UTC)))}", "green")
        if incident.status is until:
            return incident
        if incident.status in _OVER:
            raise DemoFailed(f"the heal ended as {incident.status}: {incident.reason}")
        time.sleep(_POLL_SECONDS)
    raise DemoFailed(f"the heal did not reach {until}; it is {incident.status}")


def _show(report: IncidentReport) -> None:
    out.print()
    out.print(facts(report.incident))
    for title, part in (
        ("What the model proposes", proposal(report.proposal) if report.proposal else None),
        ("The patch", diff(report.patch) if report.patch else None),
        ("The evidence", evidence_table(report.evidence) if report.evidence else None),
    ):
        if part is None:
            raise DemoFailed(f"{title.lower()} is missing from the artifacts bucket")
        out.print(Rule(title, align="left"))
        out.print(Padding(part, (0, 0, 1, 1)))


def verify(target: Target, running: embedded.EmbeddedRun, report: IncidentReport, incident: Incident) -> None:
    """The pull request is open, its head one commit on the base, its tree the base plus the approved patch.

    Raises DemoFailed. Asks the forge itself, so that nothing of the workflow judges itself.
    """
    work = Path(tempfile.mkdtemp(prefix="selfheal-verify-"))
    bare = Path(running.home) / "forge" / f"{embedded.SAMPLE_SLUG}.git"

    def git(*arguments: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=work / "tree", capture_output=True, check=False, input=stdin
        )
        if done.returncode:
            raise DemoFailed(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode().strip()

    try:
        (work / "tree").mkdir()
        git("init", "--quiet")
        git("fetch", "--quiet", str(bare), f"refs/heads/{incident.branch}")
        head = git("rev-parse", "FETCH_HEAD")
        if git("rev-parse", f"{head}^") != incident.base_sha:
            raise DemoFailed(f"{incident.branch} is not one commit on {incident.base_sha}")
        git("checkout", "--quiet", incident.base_sha)
        patch = (report.patch or "").encode()
        git("apply", "--index", "-", stdin=patch)
        if git("write-tree") != git("rev-parse", f"{head}^{{tree}}"):
            raise DemoFailed(f"{incident.branch} does not hold the approved bytes")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    pull = _pull_request(running, incident)
    if (pull.state, pull.head.sha) != ("open", head):
        raise DemoFailed(f"{incident.pull_request_url} is {pull.state} with head {pull.head.sha}, not {head}")


def _pull_request(running: embedded.EmbeddedRun, incident: Incident) -> PullRequest:
    from github import Auth, Github, GithubException

    token = (Path(running.home) / "forge-token").read_text()
    client = Github(auth=Auth.Token(token), base_url=f"{running.forge_url}/api/v3", retry=None)
    number = int(incident.pull_request_url.rsplit("/", 1)[1])
    try:
        return client.get_repo(embedded.SAMPLE_SLUG).get_pull(number)
    except GithubException as error:
        raise DemoFailed(f"{incident.pull_request_url} is not on the forge: {error}") from error


def _linger(running: embedded.EmbeddedRun) -> None:
    """Give a person time to open the links; a script is not kept waiting."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        out.print(plain(f"\nLook at it: {running.forge_url}/{embedded.SAMPLE_SLUG}", "bold"))
        out.input("Press Enter to end everything. ")


def _say_goodbye(running: embedded.EmbeddedRun, *, kept: bool) -> None:
    out.print(Rule(style="green"))
    if kept:
        out.print(plain(f"The forge: {running.forge_url}/{embedded.SAMPLE_SLUG}"))
        steps: tuple[tuple[str, str], ...] = (
            ("selfheal crash report", "another bug"),
            ("selfheal inbox", "what the team was sent, with the link of the approval page"),
            ("selfheal incidents --local", "every incident and where it stands"),
            ("selfheal down", "end all of it"),
        )
    else:
        steps = (
            ("make up", "the same, left running: forge, approval page, commands"),
            ("selfheal crash label", "then: crash the service in another way"),
            ("selfheal inbox", "and decide yourself: the link of the approval page is in the mail"),
        )
    out.print(plain("Try next:", "bold"))
    whole = [(command(step), meaning) for step, meaning in steps]
    width = max(len(step) for step, _ in whole)
    for step, meaning in whole:
        out.print(Text.assemble("  ", (f"{step:{width}}  ", "cyan"), meaning), soft_wrap=True)
