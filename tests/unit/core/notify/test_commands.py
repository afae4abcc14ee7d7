"""Commands in messages, as they work when they are pasted."""

from __future__ import annotations

import pytest

from functions.core.aws.deployment import Deployment
from functions.core.aws.settings import Settings
from functions.core.notify.commands import Commands

HERE = Commands("/opt/venv/bin/selfheal", " --local")


@pytest.mark.parametrize(
    ("text", "pasted"),
    [
        ("Start over: selfheal retry a-v1-b", "Start over: /opt/venv/bin/selfheal retry --local a-v1-b"),
        ("selfheal apps resume orders", "/opt/venv/bin/selfheal apps resume --local orders"),
        ("`selfheal incidents` lists all", "`/opt/venv/bin/selfheal incidents --local` lists all"),
        ("write /self-heal revise", "write /self-heal revise"),
        ("functions/selfheal retry.py", "functions/selfheal retry.py"),
        ("/opt/venv/bin/selfheal retry --local a", "/opt/venv/bin/selfheal retry --local a"),
        ("it calls myselfheal retry", "it calls myselfheal retry"),
    ],
)
def test_a_command_is_made_whole_once(text: str, pasted: str) -> None:
    assert HERE.pasted(text) == pasted == HERE.pasted(pasted)


def test_on_aws_a_command_names_its_stage_alone() -> None:
    assert Commands().pasted("selfheal start") == "selfheal start"
    staged = Deployment(Settings(command_flag=" --stage beta")).commands
    assert staged.pasted("selfheal start") == "selfheal start --stage beta"
