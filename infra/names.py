"""Names that the stack and the command line must agree on. No CDK here: the command starts fast."""

STACK_NAME = "SelfHealingCode"
REGISTRY_PATH = "/self-heal/apps"
CREDENTIALS_PATH = "/self-heal/credentials"
LINK_KEY_PARAMETER = "/self-heal/link-key"
"""SecureString, created by `selfheal configure`: CloudFormation cannot create one."""

FILTER_PATTERN = (
    '?Traceback ?"[ERROR]" ?errorType ?errorMessage ?"Task timed out" ?"Runtime exited" ?Exception'
)
"""What a log event must hold to be delivered: any of these terms, case-sensitive.

`Traceback` covers text logs and JSON with an embedded traceback; `[ERROR]`, `Task timed out` and
`Runtime exited` what the Lambda runtime prints; `errorType` its JSON mode; `Exception` asyncio, structlog and
Powertools records. Source: "Filter pattern syntax" in the CloudWatch Logs user guide.
"""
