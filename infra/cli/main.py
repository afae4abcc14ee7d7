"""`selfheal`: deploy it, watch it, decide, redrive; against AWS, or the embedded run with `--local`."""

from __future__ import annotations

import sys

from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import BotoCoreError, ClientError

from functions.core.workflow.errors import SelfHealError
from infra.cli import apps, decide, listing, local, look, machine
from infra.cli.agents import mcp
from infra.cli.configure import configure
from infra.cli.console import command, err, plain
from infra.cli.cost import cost
from infra.cli.deploy import deploy, destroy
from infra.cli.doctor import doctor
from infra.cli.explain import explain
from infra.cli.policy import policy
from infra.cli.prompt import prompt
from infra.cli.redrive import redrive
from infra.cli.replay import replay
from infra.cli.requeue import requeue
from infra.cli.retry import clear, retry
from infra.cli.schema import schema_
from infra.cli.smoke import smoke
from infra.cli.stages import StagedCommands
from infra.cli.stats import stats
from infra.cli.status import status
from infra.cli.steer import start, stop
from infra.cli.try_ import try_
from infra.errors import Exit, UserError

app = StagedCommands(
    name="selfheal",
    help=__doc__,
    no_args_is_help=True,
    # Rich markup would take `[main]` for a style; Markdown in our help is code in backticks.
    rich_markup_mode="markdown",
    epilog="Exit codes:\n\n" + "\n".join(f"* {code.value}: {code.meaning}" for code in Exit),
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

LOOK, DECIDE, STEER, RUN = "Look", "Decide and mend", "Set up and steer", "On this machine"
app.command(rich_help_panel=LOOK)(status)
app.command(rich_help_panel=LOOK)(listing.incidents)
app.command(rich_help_panel=LOOK)(look.show)
app.command(rich_help_panel=LOOK)(look.history)
app.command(rich_help_panel=LOOK)(stats)
app.command(rich_help_panel=LOOK)(prompt)
app.command("try", rich_help_panel=LOOK)(try_)
app.command(rich_help_panel=LOOK)(replay)
app.command(rich_help_panel=LOOK)(explain)
app.command("schema", rich_help_panel=LOOK)(schema_)
app.command(rich_help_panel=LOOK)(mcp)
app.command(rich_help_panel=DECIDE)(decide.approve)
app.command(rich_help_panel=DECIDE)(decide.reject)
app.command(rich_help_panel=DECIDE)(decide.revise)
app.command(rich_help_panel=DECIDE)(redrive)
app.command(rich_help_panel=DECIDE)(retry)
app.command(rich_help_panel=DECIDE)(clear)
app.command(rich_help_panel=DECIDE)(requeue)
app.command(rich_help_panel=STEER)(cost)
app.command(rich_help_panel=STEER)(deploy)
app.command(rich_help_panel=STEER)(destroy)
app.command(rich_help_panel=STEER)(configure)
app.add_typer(apps.app, name="apps", rich_help_panel=STEER)
app.command(rich_help_panel=STEER)(doctor)
app.command(rich_help_panel=STEER)(stop)
app.command(rich_help_panel=STEER)(start)
app.command(rich_help_panel=STEER)(policy)
app.command(rich_help_panel=STEER)(smoke)
app.command(rich_help_panel=RUN)(machine.demo)
app.command(rich_help_panel=RUN)(machine.up)
app.command(rich_help_panel=RUN)(machine.down)
app.command(rich_help_panel=RUN)(machine.crash)
app.command(rich_help_panel=RUN)(machine.inbox)
app.add_typer(local.app, name="local", rich_help_panel=RUN)


def main() -> None:
    """Run the command. What goes wrong is said in two lines: what happened, and what to do next."""
    try:
        app()
    except UserError as error:
        _fail(error.what, error.next_step, error.exit_code)
    except SelfHealError as error:
        _fail(str(error), "", Exit.NO)
    except ClientError as error:
        _refused(error)
    except GetParameterError as error:
        # What AWS said is in it as text alone.
        if not isinstance(error.__context__, ClientError):
            raise
        _refused(error.__context__)
    except BotoCoreError as error:
        _fail(
            f"AWS cannot be reached: {error}",
            "check AWS_PROFILE and AWS_REGION, and sign in; for the embedded run: --local",
            Exit.BROKEN,
        )
    except KeyboardInterrupt:
        _fail("interrupted", "", Exit.INTERRUPTED)


def _refused(error: ClientError) -> None:
    code = error.response["Error"]["Code"]
    said = f"AWS refused {error.operation_name}: {code}: {error.response['Error'].get('Message', '')}"
    _fail(said, _cure(error), Exit.BROKEN)


def _cure(error: ClientError) -> str:
    """What to do about a refusal of AWS's."""
    code, text = error.response["Error"]["Code"], str(error)
    if "Throttl" in code or code in ("TooManyRequestsException", "RequestLimitExceeded"):
        return "try again in a minute: others ask at the same time"
    if code == "InvalidKeyId" or "KMS" in text:
        return "enable the key again (aws kms enable-key), or be given its use: selfheal policy operator"
    return "check that your credentials may do this: selfheal policy operator"


def _fail(what: str, next_step: str, exit_code: int) -> None:
    err.print(plain("error: ", "bold red") + plain(what))
    if next_step:
        err.print(plain("next:  ", "bold") + plain(command(next_step)), soft_wrap=True)
    sys.exit(exit_code)
