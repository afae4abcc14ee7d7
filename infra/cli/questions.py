"""The questions that `configure` asks without arguments, and what is wrong with an answer."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from functions.core.approval.approvers import in_slack, never, one_person, only_signed_in
from functions.core.apps.app import App
from functions.core.apps.discovery import REPOSITORY, covers
from functions.core.apps.families import ANY, LONGEST_NAME
from functions.core.forge.deploy_key import DeployKey, NoDeployKey
from functions.core.forge.signing import NoSigningKey, SigningKey
from functions.core.notify.counts import counted
from functions.core.workflow.errors import AppInvalid
from infra.cli.console import out, plain
from infra.cli.tagged import families, tagged
from infra.doctor import app as of_app
from infra.doctor import forge as of_forge
from infra.doctor.checks import Check, Moot
from infra.doctor.seen import SeenApp
from infra.errors import why
from infra.model_check import notes_on_models
from infra.subscription import OwnLogGroup, checked_log_group
from infra.target import Target

_NOT_YET = "https://github.com/not/yet.git"


@dataclass
class Draft:
    """The answers so far."""

    target: Target
    entry: dict[str, Any] = field(default_factory=dict)
    name: str = "app"
    token: str = ""
    files: dict[str, str] = field(default_factory=dict)
    """What a secret is → the file that holds it."""

    @property
    def is_family(self) -> bool:
        """Whether it watches no log groups: its functions' tags say which are theirs."""
        return not self.entry.get("log_groups")

    def app(self, **changes: Any) -> App:
        """The app as it would be. Raises AppInvalid."""
        return App.from_json(self.name, {"repository": _NOT_YET, **self.entry, **changes})


@dataclass(frozen=True)
class WizardQuestion:
    """asks: its words; check: what is wrong with an answer, "" for nothing; empty: the same of none; many:
    takes several words; when: whether it is asked at all."""

    field: str
    asks: str | Callable[[Draft], str]
    check: Callable[[Draft, Any], str]
    empty: Callable[[Draft], str] = lambda draft: ""
    default: Callable[[Draft], str] = lambda draft: ""
    many: bool = False
    secret: bool = False
    offers: Callable[[Draft, str], Sequence[str]] | None = None
    when: Callable[[Draft], bool] = lambda draft: True

    def words(self, draft: Draft) -> str:
        return self.asks if isinstance(self.asks, str) else self.asks(draft)


def _needed(draft: Draft) -> str:
    return "an answer is needed"


def _asks_for_groups(draft: Draft) -> str:
    if not draft.target.subscribes_to_all:
        return "Log groups to watch"
    return "Log groups to watch (empty: those of functions that a tag says the repository of)"


def _no_groups(draft: Draft) -> str:
    """Only where all log groups are delivered anyway can functions' tags say what is theirs."""
    if draft.target.subscribes_to_all:
        return ""
    if draft.target.local:
        return "name one at least"
    needs = "all log groups to be delivered: selfheal deploy -c subscribe=account"
    return f"name one at least; functions whose tags say what they are need {needs}{draft.target.flag}"


def _first(checks: Iterable[Check[Any]], seen: Any) -> str:
    for check in checks:
        with suppress(Moot):
            if fault := check(seen):
                return _SAID.get(check, fault.detail)
    return ""


def _groups(draft: Draft, groups: Sequence[str]) -> str:
    try:
        for group in groups:
            checked_log_group(group)
        app = draft.app(log_groups=list(groups), repository=_NOT_YET)
    except (OwnLogGroup, AppInvalid) as error:
        return str(error)
    checks: tuple[Check[Any], ...] = (
        of_app.log_group_exists,
        of_app.log_group_has_room_for_a_subscription,
        of_app.log_group_is_of_one_app,
    )
    return _first(checks, SeenApp(draft.target, app))


def _names(draft: Draft, name: str) -> str:
    if now := draft.target.registry.renamed().get(name):
        return f"that is what {now} was called before, and its incidents may still be; take another name"
    if name in draft.target.registry.entries():
        change = f"selfheal configure {name} --set FIELD=VALUE{draft.target.flag}"
        return f"there is an app {name} already; take another name, or change that one: {change}"
    return _valid(draft, name=name)


def _valid(draft: Draft, name: str = "", **changes: Any) -> str:
    try:
        Draft(draft.target, draft.entry, name or draft.name).app(**changes)
    except AppInvalid as error:
        return str(error)
    return ""


_ACCESS: tuple[Check[Any], ...] = (
    of_forge.forge_can_be_reached,
    of_forge.token_is_accepted,
    of_forge.repository_can_be_seen,
    of_forge.token_may_push,
    of_forge.repository_takes_changes,
)
_SEEN = _ACCESS[:3]
_SAID: dict[Check[Any], str] = {
    of_forge.forge_can_be_reached: "the forge of that repository does not answer; < goes back to its address",
    of_forge.token_is_accepted: "the forge refuses it (needs: contents and pull requests, read and write)",
    of_forge.repository_can_be_seen: "the forge shows no such repository (a private one needs a token that"
    " sees it); < goes back to its address",
}
"""Of an answer, where a check speaks of an app that is registered."""


def _at_forge(draft: Draft, *checks: Check[Any], token: str = "", **changes: Any) -> str:
    """What the forge says of an answer. token: one that was just given."""
    if problem := _valid(draft, **changes):
        return problem
    app = _told_to_forge(draft, **changes)
    return _first(checks, of_forge.look(app, token or draft.token, draft.target.flag)) if app else ""


def _told_to_forge(draft: Draft, **changes: Any) -> App | None:
    """What the forge is asked about: of a family the repository of a function that is tagged for it; None
    where none is yet. Raises AppInvalid."""
    app = draft.app(**changes)
    if not app.is_family:
        return app
    for name, repository in tagged(draft.target).items():
        if covers(app, repository):
            return draft.app(**changes, repository=repository, log_groups=[f"/aws/lambda/{name}"])
    return None


def _deploy_key(draft: Draft, file: str) -> str:
    """It is tried at the forge, as the token is."""
    try:
        app = _told_to_forge(draft, deploy_key=True)
        key = DeployKey.of(app or draft.app(deploy_key=True), _read(file))
    except (AppInvalid, NoDeployKey, OSError) as error:
        return why(error)
    return (of_forge.look(app, draft.token, draft.target.flag, key).by_key or "") if app else ""


def _signing_key(draft: Draft, file: str) -> str:
    try:
        SigningKey.from_text(_read(file))
    except (NoSigningKey, OSError) as error:
        return why(error)
    return ""


def _secret(draft: Draft, file: str) -> str:
    try:
        return "" if _read(file).strip() else "it is empty"
    except OSError as error:
        return why(error)


def _approvers(draft: Draft, people: Sequence[str]) -> str:
    """Somebody who could never decide would be waited for in vain."""
    for one in people:
        if problem := never(one):
            return f"{one} {problem}"
        if only_signed_in(one):
            later = f"selfheal configure {draft.name} --set 'approvers=[\"{one}\"]'{draft.target.flag}"
            return (
                f"{one} is no mail address, IAM ARN or slack:ID; where people sign in to the page by such"
                f" names, afterwards: {later}"
            )
    if same := one_person(people):
        return f"{same[0]} and {same[1]} are one person"
    if problem := _valid(draft, approvers=list(people)):
        return problem
    return _first((of_app.approvers_exist,), SeenApp(draft.target, draft.app(approvers=list(people))))


def _read(file: str) -> str:
    return Path(file).expanduser().read_text()


def _author(draft: Draft, author: str) -> str:
    return _valid(draft, commit_author=author)


def _model(draft: Draft, model: str) -> str:
    if problem := _valid(draft, model=model):
        return problem
    return "; ".join(notes_on_models(draft.target, draft.app(model=model)))


def _over_https(address: str) -> str:
    """`git@github.com:shop/orders` → its https address; any other as it is."""
    over_ssh = re.fullmatch(r"(?:ssh://)?git@([\w.-]+)[:/](.+)", address)
    return f"https://{over_ssh[1]}/{over_ssh[2]}" if over_ssh else address


def _repository(draft: Draft, address: str) -> str:
    if (instead := _over_https(address)) != address:
        return f"that is its ssh address; the https one is {instead}"
    return _valid(draft, repository=address)


def _here(draft: Draft) -> str:
    """The repository of the folder that this is called in, if it is one."""
    asked = ["git", "remote", "get-url", "origin"]
    with suppress(OSError):
        found = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
        found = _over_https(found)
        return found if found and not _valid(draft, repository=found) else ""
    return ""


def _named_after(draft: Draft) -> str:
    """`/aws/lambda/Orders_API` → `orders-api`; of a family, `https://github.com/Acme/*` → `acme`."""
    if draft.is_family:
        return _slug(str(draft.entry["repository"]).removesuffix("/*"))[:LONGEST_NAME].strip("-")
    return _slug(str(draft.entry["log_groups"][0]))[:40]


def _slug(path: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", path.rstrip("/").rsplit("/", 1)[-1].lower()).strip("-")


def _family(draft: Draft, repository: str) -> str:
    if not repository.endswith(f"/{ANY}"):
        return f"write https://HOST/OWNER/{ANY}, whose repositories the functions' tag {REPOSITORY} names"
    if problem := _valid(draft, repository=repository):
        return problem
    app = draft.app(repository=repository)
    covered = sorted(name for name, tag in tagged(draft.target).items() if covers(app, tag))
    found = f"{counted(len(covered), 'function is', 'functions are')} tagged for it: {', '.join(covered[:5])}"
    out.print(plain(found if covered else f"No function is tagged {REPOSITORY} for it yet.", "dim"))
    return ""


def _offered_groups(draft: Draft, text: str) -> Sequence[str]:
    logs = draft.target.session.client("logs")
    found = logs.describe_log_groups(logGroupNamePrefix=text) if text else logs.describe_log_groups()
    groups = found["logGroups"]
    return [row["logGroupName"] for row in groups]


QUESTIONS = (
    WizardQuestion(
        "log_groups",
        _asks_for_groups,
        _groups,
        empty=_no_groups,
        many=True,
        offers=_offered_groups,
    ),
    WizardQuestion(
        "repository",
        f"The functions' repositories, as https://github.com/OWNER/{ANY}",
        _family,
        empty=_needed,
        default=lambda draft: next(iter(families(draft.target)), ""),
        offers=lambda draft, text: families(draft.target, text),
        when=lambda draft: draft.is_family,
    ),
    WizardQuestion("name", "Short name of the app", _names, empty=_needed, default=_named_after),
    WizardQuestion(
        "repository",
        "Repository, as an https address",
        _repository,
        empty=_needed,
        default=_here,
        when=lambda draft: not draft.is_family,
    ),
    WizardQuestion(
        "token",
        "Token that may read and write contents and pull requests (not shown; empty for a public repository)",
        lambda draft, token: _at_forge(draft, *_ACCESS, token=token),
        empty=lambda draft: _at_forge(draft, *_SEEN),
        secret=True,
    ),
    WizardQuestion(
        "branch",
        "Branch that pull requests go to",
        lambda draft, branch: _at_forge(draft, of_forge.branch_exists, branch=branch),
        default=lambda draft: "main",
    ),
    WizardQuestion(
        "deploy_key_file",
        "File with an SSH deploy key, for git instead of the token (empty: none)",
        _deploy_key,
    ),
    WizardQuestion(
        "signing_key_file",
        "File with an SSH key that signs commits (empty: they are not signed)",
        _signing_key,
    ),
    WizardQuestion(
        "commit_author",
        "NAME <MAIL> of the account that commits are by, where the key is known (empty: of none)",
        _author,
        when=lambda draft: "signing_key_file" in draft.files,
    ),
    WizardQuestion("model", "Bedrock model or profile (empty: the default of the region)", _model),
    WizardQuestion(
        "approvers",
        "Who may decide: mail addresses, IAM ARNs, slack:IDs (empty: whoever has the link)",
        _approvers,
        many=True,
    ),
    WizardQuestion(
        "slack_signing_secret_file",
        "File with the Slack app's signing secret: without it, questions there have no buttons",
        _secret,
        empty=_needed,
        when=lambda draft: in_slack(draft.entry.get("approvers", ())),
    ),
    WizardQuestion(
        "reviewers",
        "Who is asked to review the pull request (empty: nobody)",
        lambda draft, people: _at_forge(draft, of_forge.reviewers_are_collaborators, reviewers=list(people)),
        many=True,
    ),
)
