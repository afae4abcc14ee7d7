"""How other accounts' logs come here: what is documented is what the API takes; what is delivered is read."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shlex
from pathlib import Path
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

from functions.core.aws.names import function_of, is_own_log_group
from functions.detect_errors.events import decode_batch

PAGE = Path(__file__).parents[2] / ".github" / "DEPLOYING.md"


def documented() -> dict[str, Any]:
    """The command's input."""
    (text,) = re.findall(r"aws (observabilityadmin .*?\n\}')\n", PAGE.read_text(), re.DOTALL)
    words = shlex.split(text)
    return {"RuleName": words[words.index("--rule-name") + 1], "Rule": json.loads(words[-1])}


def test_the_documented_rule_is_one_that_the_api_takes() -> None:
    service = botocore.session.get_session().get_service_model("observabilityadmin")
    shape = service.operation_model("CreateCentralizationRuleForOrganization").input_shape

    assert shape
    assert ParamValidator().validate(documented(), shape).generate_report() == ""


def test_by_the_documented_pattern_a_copys_name_says_whose_it_is() -> None:
    logs = documented()["Rule"]["Destination"]["DestinationLogsConfiguration"]
    pattern = logs["LogGroupNameConfiguration"]["LogGroupNamePattern"]

    def copy(group: str) -> str:
        said = {"${source.accountId}": "222222222222", "${source.logGroup}": group}
        return re.sub(r"\$\{[\w.]+\}", lambda found: said[found[0]], pattern)

    assert copy("/aws/lambda/orders") == "/222222222222/aws/lambda/orders"
    assert function_of(copy("/aws/lambda/orders")) == "", "no function of this account is asked"
    assert is_own_log_group(copy("/aws/lambda/self-heal-beta-detect-errors"))


def test_a_delivery_of_what_was_centralized_is_read_with_or_without_its_system_fields() -> None:
    """`extractedFields` are there where a filter's `emitSystemFields` asks for them, which ours does not.
    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutSubscriptionFilter.html
    """
    event = {"id": "1", "timestamp": 1_795_000_000_000, "message": "Traceback"}
    fields = {"@aws.account": "222222222222", "@aws.region": "eu-west-1"}
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": "/222222222222/aws/lambda/orders",
        "logStream": "2026/11/20/[$LATEST]abc",
        "subscriptionFilters": ["self-heal"],
        "policyLevel": "ACCOUNT_LEVEL_POLICY",
        "logEvents": [event, event | {"extractedFields": fields}],
    }

    batch = decode_batch(base64.b64encode(gzip.compress(json.dumps(document).encode())))

    assert batch
    assert (batch.log_group, batch.owner) == ("/222222222222/aws/lambda/orders", "111122223333")
    assert [one.message for one in batch.events] == ["Traceback", "Traceback"]
