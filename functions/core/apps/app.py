"""An app: one registered service, as its entry in the app registry (Parameter Store) describes it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Self
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from functions.core.approval.approvers import malformed, person
from functions.core.apps.families import ANY, check_family
from functions.core.apps.forge_settings import api_of, check_forge
from functions.core.apps.model_settings import check_models
from functions.core.apps.modes import Mode
from functions.core.apps.repository_settings import PYTHON
from functions.core.aws.names import entry_of
from functions.core.incidents.incident import ErrorClass
from functions.core.model.models import default_model
from functions.core.workflow.errors import AppInvalid, ModelNotFound

# Executions' names are kept in one item, which holds 400 KB.
MOST_HEALS = 1_000
# From 1 to so many. Each that is under way is read before another one begins.
_LIMITS = {
    "max_heals_per_hour": MOST_HEALS,
    "max_heals_per_day": MOST_HEALS,
    "max_heals_at_once": 50,
    "max_open_pull_requests": 1_000,
    "storm_after": MOST_HEALS,
    "min_occurrences": 1_000_000,
}
# A quarter: incidents are kept for longer.
_MOST_HOURS = 90 * 24
# Kept short because the name is part of incident ids, branch names and parameter paths.
# What was discovered has its family's before the dot; no entry has one.
_NAME = re.compile(r"(?=.{1,40}$)[a-z][a-z0-9-]*(\.[a-z0-9-]+)?")
_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")
PROJECT_PREFIX = "self-heal-"
"""Begins the name of every CodeBuild project that the workflow may start."""
# https://docs.aws.amazon.com/codebuild/latest/APIReference/API_CreateProject.html
_PROJECT = re.compile(PROJECT_PREFIX + r"[A-Za-z0-9_-]{1,140}")


@dataclass(frozen=True, slots=True)
class App:
    """What the system must know of a service to heal it. Adding an app changes no code and no stack."""

    name: str
    log_groups: tuple[str, ...]
    """CloudWatch log groups whose errors belong to this app; a family has none."""
    repository: str
    """HTTPS clone URL without credentials. One that ends in `/*` makes the entry a family: of functions that
    name such a repository in a tag, see functions/core/apps/discovery.py."""
    branch: str = "main"
    """The branch that pull requests go to, and that is read when the deployed revision is unknown."""
    credentials: str = ""
    """Name of the app's own SecureString, with the forge's host and token; empty for a public repository."""
    signed_commits: bool = False
    """Whether commits are signed by the app's own SSH key; set where one is registered."""
    commit_author: str = ""
    """`NAME <MAIL>` of the account that commits are by: a forge calls a signature verified where the key and
    the address are of one account; empty: of no account."""
    deploy_key: bool = False
    """Whether git reads and pushes by the app's own SSH deploy key; set where one is registered."""
    ssh_port: int = 22
    """Where the SSH server of the repository's host listens."""
    ssh_host_keys: tuple[str, ...] = ()
    """Public keys, as `ssh-keyscan` prints them behind the host, of which that server shows one; empty means:
    those that GitHub and GitLab publish, which a forge of one's own has not."""
    forge_api: str = "https://api.github.com"
    """REST base URL, of the repository's host: GitHub's, `https://HOST/api/v3` for GitHub Enterprise, or
    `https://HOST/api/v4` for GitLab."""
    certificate_authority: str = ""
    """Certificates (PEM) that the forge's is trusted by, beside the public ones; for a forge of one's own."""
    source_roots: dict[str, str] = field(default_factory=lambda: {"/var/task": "", "/app": ""})
    """Deployed directory → directory in the repository ("" is its root)."""
    submodules: bool = False
    """Whether submodules on the same forge are fetched too, to be read and imported by tests."""
    packages: tuple[str, ...] = ()
    """Top-level packages or modules that are the app's own; empty means: judge by path."""
    revision: str = ""
    """Commit that is deployed, when a deployment records it here."""
    log_tags: tuple[str, ...] = ()
    """Globs of tags whose commits are read when only the log names them, though `branch` has not got them."""
    revision_from_environment: bool = False
    """Whether the environment of a function that is tagged for it may be read for the revision."""
    python: str = ""
    """The Python that the app runs on, such as "3.12"; empty means: as its function, its image or its
    repository say."""
    test_command: tuple[str, ...] = ()
    """Runs the repository's tests; empty means pytest."""
    codebuild_project: str = ""
    """CodeBuild project in which tests run that need more than a Lambda; empty means: the sandbox."""
    allowed_paths: tuple[str, ...] = ("**/*.py", "*.py")
    """Globs of repository paths that a patch may touch."""
    heal_classes: tuple[str, ...] = ("code",)
    """Error classes that start a heal; all others are recorded and notified once."""
    reviewers: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    """Mail addresses, IAM ARNs and Slack users (`slack:U012AB3CD`) that may decide; empty means: whoever has
    the link, or the IAM rights, or reads the Slack channel."""
    approvals_needed: int = 1
    """How many different people must approve a patch: 1 or 2."""
    time_zone: str = ""
    """Where its people are, such as "Europe/Berlin": they are told times on that clock, with UTC beside it;
    empty: in UTC alone."""
    quiet_hours: str = ""
    """Such as "22:00-07:00", on that clock: what nobody has to decide then waits, and is told together."""
    slack_buttons: bool = False
    """Questions in Slack have buttons that decide; set where a signing secret is registered."""
    model: str = ""
    """Bedrock model or inference profile id; empty means the default of the region whose Bedrock is asked."""
    fallback_models: tuple[str, ...] = ()
    """Asked in this order when the model cannot be had, refuses, is throttled or fails."""
    review_model: str = ""
    """Gives a second opinion on patches that are proven, before people are asked; empty: nobody does."""
    context_window: int = 0
    """Tokens that the models read and write at once; 0: what is known of each."""
    answer_tokens: int = 0
    """The most that an answer may take, thinking included; 0: what suits each model."""
    effort: str = ""
    """How hard models think that can be told so, one of EFFORTS; empty: what suits each model."""
    prices: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Model id → USD per million tokens in and out, where they are not list prices, or nobody lists them."""
    model_region: str = ""
    """AWS region whose Bedrock is asked; empty means the deployment's own."""
    model_url: str = ""
    """A server that speaks OpenAI's protocol and is asked instead of Bedrock: its base, such as
    `https://api.example.com/v1`. Its models are the app's `model`, `fallback_models` and `review_model`."""
    model_key: bool = False
    """Whether that server is sent the app's own key; set where one is registered."""
    temperature: float = -1.0
    """0 to 1; below 0 none is sent, because most current models refuse it."""
    guardrail: str = ""
    """Bedrock guardrail, `ID` or `ID:VERSION`."""
    max_attempts: int = 3
    """Proposals per heal before it abstains; a reviewer's request for changes grants as many again."""
    mode: str = str(Mode.PULL_REQUEST)
    """How far heals of the app's `heal_classes` go, one of `functions.core.apps.modes.Mode`."""
    class_modes: dict[str, str] = field(default_factory=dict)
    """Error class → mode, where it is not that of the app; a class that is named here starts heals."""
    paused: bool = False
    """Whether errors are recorded, and none is healed."""
    first_name: str = ""
    """Of one that was renamed: what it was called first. Its incidents' ids go on beginning with that."""
    min_occurrences: int = 1
    """How often an error must have been seen before it is healed."""
    max_heals_at_once: int = 5
    """Heals under way at once; others wait for their turn. A heal that waits for people counts as none."""
    max_open_pull_requests: int = 10
    """What waits to be merged; while there are so many, new heals are held back."""
    max_heals_per_day: int = 200
    max_heals_per_hour: int = 20
    """Heals that may begin within an hour: whoever can write to the log decides how many errors there are."""
    storm_after: int = 10
    """New errors within a quarter of an hour, beyond which people are asked whether to heal them at all."""
    daily_budget_usd: float = 10.0
    monthly_budget_usd: float = 100.0
    deployed_within_hours: float = 24.0
    """How long after its merge a fix is taken to be deployed, where nothing tells the deployed revision."""
    gone_after_hours: float = 24.0
    """How long an error stays away, in a service that is used, until its fix counts as one."""

    def to_json(self) -> dict[str, Any]:
        """The registry entry: everything but the name, which is the parameter's."""
        entry = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}
        del entry["name"]
        return entry

    def stated(self) -> dict[str, Any]:
        """The registry entry without what is as it comes: a stack that is older than the command knows
        nothing of newer fields, and refuses them."""
        entry = self.to_json()
        needed = {key: entry[key] for key in ("log_groups", "repository")}
        usual = self.from_json(self.name, needed).to_json()
        return needed | {key: value for key, value in entry.items() if value != usual[key]}

    @classmethod
    def from_json(cls, name: str, data: Any) -> Self:
        """Build from a registry entry.

        Raises AppInvalid, naming the field and the rule it breaks.
        """
        if not _NAME.fullmatch(name):
            raise AppInvalid(f"app name {name!r}: use a-z, 0-9 and '-', starting with a letter, at most 40")
        if not isinstance(data, dict):
            raise AppInvalid(f"app {name!r}: the entry must be a JSON object")
        types = {f.name: f.type for f in fields(cls) if f.name != "name"}
        if unknown := sorted(set(data) - set(types)):
            near = get_close_matches(unknown[0], types, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(types))}"
            raise AppInvalid(f"app {name!r}: unknown field {unknown[0]!r}; {meant}")
        values: dict[str, Any] = {}
        for key, value in data.items():
            values[key] = _checked(name, key, str(types[key]), value)
        repository = str(values.get("repository", ""))
        values.setdefault("forge_api", api_of(repository))
        if ANY in repository:
            values.setdefault("log_groups", ())
            # Whoever tags a function is not who answers for the repository.
            values.setdefault("mode", str(Mode.PROPOSE))
        for required in ("repository",) if ANY in repository else ("log_groups", "repository"):
            if not values.get(required):
                raise AppInvalid(f"app {name!r}: {required!r} is required")
        app = cls(name=name, **values)
        check_family(app)
        check_forge(app)
        _check_steering(app)
        _check_people(app)
        _check_running(app)
        check_models(app)
        return app

    def model_in(self, region: str) -> str:
        """The model to ask where the deployment is in `region`: the app's own, or else the region's default.

        Raises ModelNotFound where there is none: no default would keep code within that region's geography.
        """
        asked = self.model_region or region
        if model := self.model or default_model(asked):
            return model
        raise ModelNotFound(
            f"app {self.name!r}: region {asked or '(none)'} has no default model that keeps code within its"
            " geography; set the app's 'model', or another region as its 'model_region', then redrive"
        )

    @property
    def is_family(self) -> bool:
        """Whether it is no service itself, and says how those are healed that name its repositories."""
        return ANY in self.repository

    @property
    def entry(self) -> str:
        """Name of the entry by which it is healed: its secrets lie and its budgets are counted under it."""
        return entry_of(self.name)

    def starts_heals(self, error_class: ErrorClass) -> bool:
        """Whether errors of a class start heals at all; others are recorded and told once."""
        return str(error_class) in self.heal_classes or str(error_class) in self.class_modes

    def mode_of(self, error_class: ErrorClass) -> Mode:
        """How far a heal of an error of this class goes."""
        return Mode(self.class_modes.get(str(error_class), self.mode))

    def incident_id(self, fingerprint: str) -> str:
        """The id of its incident with this fingerprint."""
        return f"{self.kept_by}-{fingerprint}"

    @property
    def kept_by(self) -> str:
        """The name that what is kept of it goes by, which a rename does not change."""
        return self.first_name or self.name

    @property
    def host(self) -> str:
        """The forge's host, with its port where the address names one."""
        return urlsplit(self.repository).netloc.lower()

    @property
    def model_host(self) -> str:
        """The host of the server that is asked instead of Bedrock, with its port where the address names
        one."""
        return urlsplit(self.model_url).netloc.lower()

    @property
    def slug(self) -> str:
        """`owner/name`, as the forge's REST API addresses the repository; GitLab's groups may be nested."""
        return urlsplit(self.repository).path.strip("/").removesuffix(".git")


def _check_steering(app: App) -> None:
    if app.max_attempts < 1 or min(app.daily_budget_usd, app.monthly_budget_usd) < 0:
        raise AppInvalid(
            f"app {app.name!r}: 'max_attempts' must be >= 1,"
            " 'daily_budget_usd' >= 0 and 'monthly_budget_usd' >= 0"
        )
    for key in ("deployed_within_hours", "gone_after_hours"):
        if not 0 <= getattr(app, key) <= _MOST_HOURS:
            raise AppInvalid(f"app {app.name!r}: {key!r} must be from 0 to {_MOST_HOURS:,}")
    for key, most in _LIMITS.items():
        if not 1 <= getattr(app, key) <= most:
            raise AppInvalid(f"app {app.name!r}: {key!r} must be from 1 to {most:,}")
    modes = ", ".join(Mode)
    if app.mode not in list(Mode):
        raise AppInvalid(f"app {app.name!r}: 'mode' must be one of {modes}")
    for error_class, mode in app.class_modes.items():
        if error_class not in list(ErrorClass):
            known = ", ".join(ErrorClass)
            raise AppInvalid(f"app {app.name!r}: 'class_modes': {error_class!r} is no class; known: {known}")
        if mode not in list(Mode):
            raise AppInvalid(f"app {app.name!r}: 'class_modes': {error_class!r} must be one of {modes}")


def _check_people(app: App) -> None:
    name = app.name
    for approver in filter(malformed, app.approvers):
        raise AppInvalid(f"app {name!r}: approver {approver!r}: write a Slack user's id, slack:U012AB3CD")
    if app.time_zone and app.time_zone not in available_timezones():
        raise AppInvalid(
            f"app {name!r}: 'time_zone' must be an IANA name such as \"Europe/Berlin\", or empty"
        )
    start, _, end = app.quiet_hours.partition("-")
    if app.quiet_hours and (start == end or not _HOURS.fullmatch(app.quiet_hours)):
        raise AppInvalid(f"app {name!r}: 'quiet_hours' must be like \"22:00-07:00\", or empty")
    if app.approvals_needed not in (1, 2):
        raise AppInvalid(f"app {name!r}: 'approvals_needed' must be 1 or 2")
    if app.approvals_needed > len(set(map(person, app.approvers)) or {""}):
        raise AppInvalid(
            f"app {name!r}: 'approvals_needed' is 2, so name at least two 'approvers' who are two people"
        )


def _check_running(app: App) -> None:
    if app.codebuild_project and not _PROJECT.fullmatch(app.codebuild_project):
        raise AppInvalid(
            f"app {app.name!r}: 'codebuild_project' must be a CodeBuild project's name that begins with"
            f" {PROJECT_PREFIX!r}: the workflow may start no other"
        )
    if app.first_name and not _NAME.fullmatch(app.first_name):
        raise AppInvalid(f"app {app.name!r}: 'first_name' must be an app's name, or empty")
    if app.python and not PYTHON.fullmatch(app.python):
        raise AppInvalid(f"app {app.name!r}: 'python' must be a version such as \"3.12\", or empty")


_WORDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}
"""What a value of an entry must be, by its field's annotation."""


def _checked(app: str, key: str, annotation: str, value: Any) -> Any:
    if annotation.startswith("tuple"):
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            raise AppInvalid(f'app {app!r}: {key!r} must be a list of strings, such as ["…"]')
        return tuple(value)
    if annotation == "dict[str, tuple[float, float]]":
        return _checked_prices(app, key, value)
    if annotation.startswith("dict"):
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise AppInvalid(f"app {app!r}: {key!r} must map strings to strings")
        return dict(value)
    expected = {"str": (str,), "int": (int,), "bool": (bool,)}.get(annotation, (int, float))
    if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
        raise AppInvalid(f"app {app!r}: {key!r} must be {_WORDS[annotation]}")
    return value


def _checked_prices(app: str, key: str, value: Any) -> dict[str, tuple[float, float]]:
    rule = f"app {app!r}: {key!r} must map each model id to [USD per million tokens in, and out], at least 0"
    if not isinstance(value, dict):
        raise AppInvalid(rule)
    prices: dict[str, tuple[float, float]] = {}
    for model, pair in value.items():
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise AppInvalid(rule)
        if not all(isinstance(usd, int | float) and not isinstance(usd, bool) and usd >= 0 for usd in pair):
            raise AppInvalid(rule)
        prices[model] = (float(pair[0]), float(pair[1]))
    return prices
