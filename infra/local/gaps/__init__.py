"""What MiniStack 1.5.33 lacks, filled inside its process before it serves.

Each module below fills one gap by replacing functions of one MiniStack service. MiniStack's files stay as
they are. For each gap there is a test that fails once upstream has filled it: then its module can go.

    states       redrive, execution time-outs, redrive fields of descriptions and status events
    tasks        callbacks that fail or come twice, per-attempt tokens, MaxDelaySeconds and JitterStrategy
    pipes        FilterCriteria, BatchSize, InputTemplate, retry limits and the dead-letter queue
    account_policies  subscription policies for all log groups of an account
    logs         filter patterns; subscriptions and rules invoke asynchronously, with retries
    workers      Lambda's Python runtime and its guest: error types, log format, environment, user, refusals
    tenancy      functions with tenant isolation: who may invoke them, an environment for each invocation
    urls         function URLs that a browser on this machine can open
    http_apis    cookies where functions behind an HTTP API look for them
    parameters   keys of encrypted parameters are asked for; a parameter keeps its type
    authorization  GetParametersByPath on its path; loopback counts as TLS; variables in policies
    bedrock      a model endpoint that fails is an error; a cut answer says so
    restart      a state that outlives a kill, and executions that go on
    bucket_tags  tags that a template gives a bucket
    declared     resources in a template that do nothing here: DNS Firewall, composite alarms, saved queries
    console      pages of executions and log streams, in place of the AWS console (see emulator.py)
    codebuild    builds run, under their service role; Step Functions' integration that waits for them
"""

from infra.local.gaps import (
    account_policies,
    authorization,
    bedrock,
    bucket_tags,
    codebuild,
    declared,
    http_apis,
    logs,
    parameters,
    pipes,
    restart,
    states,
    tasks,
    tenancy,
    urls,
    workers,
)


def fill() -> None:
    """Fill every gap. Must run in the process that is to become the emulator, before it serves."""
    for gap in (
        states,
        tasks,
        pipes,
        logs,
        parameters,
        account_policies,
        workers,
        tenancy,
        urls,
        http_apis,
        authorization,
        bedrock,
        bucket_tags,
        declared,
        codebuild,
        restart,
    ):
        gap.fill()
