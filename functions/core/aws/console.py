"""Addresses in the AWS console, or in what stands in for it, for people who want to look further."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

# By partition. Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html and the consoles.
_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


@dataclass(frozen=True, slots=True)
class Console:
    """address: of an embedded AWS's own pages, which AWS's console knows nothing of; "" for AWS itself."""

    address: str = ""

    @property
    def name(self) -> str:
        return "embedded run" if self.address else "Step Functions console"

    def execution(self, execution_arn: str) -> str:
        """The page of an execution."""
        if self.address:
            return f"{self.address}/executions/{quote(execution_arn, safe=':')}"
        host, region = _place(execution_arn)
        arn = quote(execution_arn, safe=":")
        return f"https://{host}/states/home?region={region}#/v2/executions/details/{arn}"

    def log_stream(self, execution_arn: str, log_group: str, log_stream: str) -> str:
        """The page of a log stream in the execution's region."""
        if self.address:
            return f"{self.address}/logs/{quote(log_group, safe='')}/{quote(log_stream, safe='')}"
        host, region = _place(execution_arn)
        return (
            f"https://{host}/cloudwatch/home?region={region}"
            f"#logsV2:log-groups/log-group/{_twice(log_group)}/log-events/{_twice(log_stream)}"
        )


def _place(arn: str) -> tuple[str, str]:
    parts = arn.split(":")
    partition, region = (parts[1], parts[3]) if len(parts) > 4 else ("aws", "us-east-1")
    return _HOSTS.get(partition, _HOSTS["aws"]), quote(region)


def _twice(name: str) -> str:
    # The CloudWatch console escapes names twice in the fragment and writes `$` for the outer `%`.
    return quote(quote(name, safe=""), safe="").replace("%", "$")
