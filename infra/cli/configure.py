"""`configure`: register an app. Changes no code and no stack."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from functions.core.approval.approvers import doubts, never, one_person
from functions.core.apps.app import App
from functions.core.apps.entries import noted
from functions.core.forge.deploy_key import NoDeployKey, public_of
from functions.core.forge.installation import Installation
from functions.core.forge.signing import NoSigningKey, SigningKey
from functions.core.incidents.incident import ErrorClass
from functions.core.notify.webhooks import WebhookInvalid, parse
from functions.core.workflow.errors import AppInvalid
from functions.harness.interpreters import VERSIONS
from infra.cli.connect import connect
from infra.cli.console import confirm, err, hint, out, plain, print_document
from infra.cli.offers import changed_fields, offer
from infra.cli.options import AsJson, Local, complete_model
from infra.errors import UserError, why
from infra.model_check import notes_on_models
from infra.nearest import unknown
from infra.registration import AppSecrets, check, register
from infra.target import Target

_TYPES = {one.name: one.type for one in dataclasses.fields(App)}


def configure(
    name: Annotated[
        str | None, typer.Argument(help="Short name of the app: a-z, 0-9 and '-'. Without: asks.")
    ] = None,
    log_group: Annotated[
        list[str] | None, typer.Option(help="CloudWatch log group of the app; repeatable.")
    ] = None,
    repository: Annotated[str | None, typer.Option(help="HTTPS clone URL, without credentials.")] = None,
    branch: Annotated[str | None, typer.Option(help="Branch that pull requests go to [main].")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Bedrock model or inference profile [the region's geography's].",
            autocompletion=complete_model,
        ),
    ] = None,
    model_url: Annotated[
        str | None,
        typer.Option(help="Base URL of a server that speaks OpenAI's protocol, asked instead of Bedrock."),
    ] = None,
    python: Annotated[
        str | None,
        typer.Option(help=f"Python that the app runs on, {VERSIONS[0]} to {VERSIONS[-1]} [found out]."),
    ] = None,
    codebuild_project: Annotated[
        str | None, typer.Option(help="CodeBuild project that runs the tests; begins with 'self-heal-'.")
    ] = None,
    token_file: Annotated[
        str | None,
        typer.Option(help="File with the forge token (contents, pull requests: write); '-' reads stdin."),
    ] = None,
    github_app: Annotated[
        str | None,
        typer.Option(
            metavar="APP_ID:INSTALLATION_ID",
            help="A GitHub App instead of a token: the token file then holds its private key.",
        ),
    ] = None,
    webhooks_file: Annotated[
        str | None,
        typer.Option(help="File with Slack and Teams webhooks, one per line: `slack https://...`."),
    ] = None,
    slack_signing_secret_file: Annotated[
        str | None,
        typer.Option(
            help="File with the Slack app's signing secret, for buttons that decide; '-' reads stdin."
        ),
    ] = None,
    signing_key_file: Annotated[
        str | None,
        typer.Option(help="File with an SSH private key (Ed25519) that signs commits; '-' reads stdin."),
    ] = None,
    model_key_file: Annotated[
        str | None,
        typer.Option(help="File with the key that the server at --model-url wants; '-' reads stdin."),
    ] = None,
    deploy_key_file: Annotated[
        str | None,
        typer.Option(
            help="File with an SSH deploy key (write access), by which git reads and pushes instead of by the"
            " token, which pull requests still need; '-' reads stdin."
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="JSON or TOML file with any field of the entry; options win over it. Without NAME: a TOML"
            " file with a table for each app."
        ),
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Any other field of the entry; VALUE is JSON or plain text; repeatable: --set mode=propose.",
        ),
    ] = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Register an app, or change its entry: what to watch, where its source is, who reviews.

    Without arguments it asks, and checks each answer; with any, it never does.
    """
    target = connect(local)
    given: dict[str, Any] = {"log_groups": log_group, "repository": repository, "branch": branch}
    given |= {
        "model": model,
        "model_url": model_url,
        "codebuild_project": codebuild_project,
        "python": python,
    }
    given = {key: value for key, value in given.items() if value} | dict(map(_field, fields or ()))
    secrets = SecretFiles(
        token_file,
        github_app,
        webhooks_file,
        slack_signing_secret_file,
        signing_key_file,
        deploy_key_file,
        model_key_file,
    )
    if name:
        wanted = [Wanted(name, _read_entry(target, name) | _read_file(file) | given, secrets)]
    elif file and not given and secrets == SecretFiles():
        wanted = [_of_table(target, file, app, table) for app, table in _read_file(file).items()]
    elif file or given or secrets != SecretFiles():
        raise UserError("of which app?", "give its name: selfheal configure NAME ...", exit_code=2)
    else:
        wanted = [_asked(target)]
    # All are looked at before the first is written.
    ready = [one.checked() for one in wanted]
    for app, _ in ready:
        check(target, app)
    before = target.registry.entries()
    for app, given_secrets in ready:
        register(target, app, given_secrets)
        changed = changed_fields(before.get(app.name), app)
        _tell(target, app, as_json, changed, tried=given_secrets.token is None)


@dataclass(frozen=True)
class SecretFiles:
    """Files that hold them, "-" for stdin."""

    token_file: str | None = None
    github_app: str | None = None
    webhooks_file: str | None = None
    slack_signing_secret_file: str | None = None
    signing_key_file: str | None = None
    deploy_key_file: str | None = None
    model_key_file: str | None = None


@dataclass(frozen=True)
class Wanted:
    """An app as it is to be registered. token: as it was typed, instead of in a file."""

    name: str
    entry: dict[str, Any]
    secrets: SecretFiles
    token: str | None = None

    def checked(self) -> tuple[App, AppSecrets]:
        """The app and its secrets. Raises UserError."""
        by_key = {"deploy_key": True} if self.secrets.deploy_key_file else {}
        try:
            app = App.from_json(self.name, self.entry | by_key)
        except AppInvalid as error:
            raise UserError(str(error), "see: selfheal configure --help", exit_code=2) from error
        for approver in app.approvers:
            if problem := never(approver):
                raise UserError(
                    f"app {app.name!r}: approver {approver!r} {problem}, and could never decide",
                    "name mail addresses, ARNs of IAM users and roles, or slack:IDs",
                    exit_code=2,
                )
        if same := one_person(app.approvers):
            raise UserError(
                f"app {app.name!r}: the approvers {same[0]!r} and {same[1]!r} are one person",
                "name each person once",
                exit_code=2,
            )
        if app.python and app.python not in VERSIONS:
            raise UserError(
                f"app {app.name!r}: Python {app.python} is none of {', '.join(VERSIONS)}, on which tests run",
                "name one of these, or leave 'python' out",
                exit_code=2,
            )
        for error_class in app.heal_classes:
            if error_class not in list(ErrorClass):
                raise unknown(
                    "class of errors", error_class, ErrorClass, f"choose of: {', '.join(ErrorClass)}"
                )
        secrets = self.secrets
        webhooks = _read_secret(secrets.webhooks_file, "webhook")
        try:
            parse(webhooks or "")
        except WebhookInvalid as error:
            raise UserError(f"{secrets.webhooks_file}: {error}", exit_code=2) from error
        return app, AppSecrets(
            token=self.token or _credentials(secrets.token_file, secrets.github_app),
            webhooks=webhooks,
            slack_secret=_read_secret(secrets.slack_signing_secret_file, "signing secret"),
            signing_key=_ssh_key(secrets.signing_key_file, SigningKey.from_text),
            deploy_key=_ssh_key(secrets.deploy_key_file, public_of),
            model_key=_model_key(secrets, app),
        )


def _of_table(target: Target, file: Path, name: str, table: Any) -> Wanted:
    """One table of a file with many apps: fields of the entry, and names of files beside it with secrets."""
    if not isinstance(table, dict):
        raise UserError(f"{file}: {name!r} must be a table: [{name}]", exit_code=2)
    paths = {one.name: table.pop(one.name) for one in dataclasses.fields(SecretFiles) if one.name in table}
    paths = {key: path if key == "github_app" else str(file.parent / path) for key, path in paths.items()}
    return Wanted(name, _read_entry(target, name) | table, SecretFiles(**paths))


def _asked(target: Target) -> Wanted:
    """What people answer, once they have seen what would be written."""
    from infra.cli import wizard

    draft = wizard.ask(target)
    path = f"{target.names.registry}/{draft.name}"
    out.print(plain(f"\nThis is written to {path}:", "bold"))
    out.print(plain(json.dumps(draft.entry, indent=1)), soft_wrap=True)
    if draft.token:
        out.print(plain(f"The token, encrypted: {target.registry.credentials_parameter(draft.name)}"))
    secrets = SecretFiles(**{what: str(Path(file).expanduser()) for what, file in draft.files.items()})
    if secrets.deploy_key_file:
        key = target.registry.deploy_key_parameter(draft.name)
        out.print(plain(f"The deploy key, encrypted: {key}"))
    if secrets.slack_signing_secret_file:
        out.print(plain(f"Slack's signing secret, encrypted: {target.names.slack_signing}/{draft.name}"))
    if secrets.signing_key_file:
        key = target.registry.signing_parameter(draft.name)
        out.print(plain(f"The key that signs commits, encrypted: {key}"))
    for group in () if target.subscribes_to_all else draft.entry["log_groups"]:
        out.print(plain(f"A subscription filter `{target.names.filter}` of {group}"))
    confirm("Write it?", "name the app, and give its fields: selfheal configure --help", default=True)
    return Wanted(draft.name, draft.entry, secrets, draft.token or None)


def _tell(target: Target, app: App, as_json: bool, changed: frozenset[str], tried: bool) -> None:
    """tried: whether nothing was given that the forge may refuse."""
    if as_json:
        print_document("app/1", {"app": app.name, "entry": app.to_json(), "by_status": {}})
    else:
        offer(target, app, changed)
        watched = ", ".join(app.log_groups) or "functions that are tagged"
        out.print(plain(f"{app.name}: watching {watched} for {app.slug}"))
        if not tried:
            hint(f"Whether all is right, at the forge too: selfheal doctor {app.name}{target.flag}")
    for note in (
        *doubts(app.approvers, app.approvals_needed),
        *notes_on_models(target, target.registry.app(app.name)),
    ):
        err.print(plain(f"note: {note}", "yellow"), soft_wrap=True)


def _credentials(token_file: str | None, github_app: str | None) -> str | None:
    """What is kept to speak to the forge by, as it is kept. Raises UserError for what cannot be that."""
    secret = _read_secret(token_file, "token")
    if github_app is None:
        if secret and "PRIVATE KEY" in secret:
            raise UserError(
                f"{token_file} holds a private key, and no token",
                "a GitHub App's: --github-app APP_ID:INSTALLATION_ID",
                exit_code=2,
            )
        return secret
    ids = re.fullmatch(r"(\d{1,18}):(\d{1,18})", github_app)
    if ids is None:
        raise UserError(
            f"--github-app {github_app!r}: write APP_ID:INSTALLATION_ID",
            "both are numbers: the App's page has the first, the address of its installation the second",
            exit_code=2,
        )
    if not secret or "PRIVATE KEY" not in secret:
        raise UserError(
            "--github-app needs the App's private key", "give it: --token-file KEY.pem", exit_code=2
        )
    return Installation(int(ids[1]), int(ids[2]), secret).to_text()


def _ssh_key(file: str | None, check: Callable[[str], object]) -> str | None:
    """Raises UserError for what does not pass the check."""
    secret = _read_secret(file, "key")
    try:
        if secret:
            check(secret)
    except (NoSigningKey, NoDeployKey) as error:
        raise UserError(f"{file}: {error}", exit_code=2) from error
    return secret


def _model_key(secrets: SecretFiles, app: App) -> str | None:
    """Raises UserError where there is no server that it could be for."""
    key = _read_secret(secrets.model_key_file, "key")
    if key and not app.model_url:
        raise UserError(
            f"app {app.name!r}: a model's key is for a server of its own, and none is named",
            "give its address: --model-url https://HOST/v1",
            exit_code=2,
        )
    return key


def _field(text: str) -> tuple[str, Any]:
    """A field of the entry as it is typed. Raises UserError for what is no such thing."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise UserError(f"--set {text!r}: write FIELD=VALUE", "such as: --set mode=propose", exit_code=2)
    if _TYPES.get(name) == "str":
        return name, value
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _read_entry(target: Target, name: str) -> dict[str, Any]:
    """An app's entry as it is, empty where it has none. Raises UserError for a former name."""
    text = target.registry.text(name) or "{}"
    if now := noted(text):
        raise UserError(
            f"{name} was renamed to {now}, and its incidents may still bear that name",
            f"change that one: selfheal configure {now} --set FIELD=VALUE{target.flag}; the name is free"
            f" again once the app is removed: selfheal apps remove {now}{target.flag}",
            exit_code=2,
        )
    try:
        entry = json.loads(text)
    except ValueError:
        return {}  # A broken entry is replaced by what is given now.
    return entry if isinstance(entry, dict) else {}


_ENTRY = 'give fields of the entry, as JSON: {"mode": "propose"}; or as TOML, in a file that ends in .toml'


def _read_file(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        text = file.read_text()
        entry = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {file}: {why(error)}", _ENTRY, exit_code=2) from error
    if not isinstance(entry, dict):
        raise UserError(f"{file}: must hold one JSON object", _ENTRY, exit_code=2)
    return entry


def _read_secret(file: str | None, what: str) -> str | None:
    if file is None:
        return None
    try:
        secret = (sys.stdin.read() if file == "-" else Path(file).read_text()).strip()
    except (OSError, ValueError) as error:
        then = f"name a file that holds the {what}; - reads it from standard input"
        raise UserError(f"cannot read {file}: {why(error)}", then, exit_code=2) from error
    if not secret:
        raise UserError(f"{file}: holds no {what}", "put it there, and nothing else", exit_code=2)
    return secret
