"""Names that the stack and the command line must agree on. No CDK here: the command starts fast."""

STACK_NAME = "SelfHealingCode"
REGISTRY_PATH = "/self-heal/apps"
CREDENTIALS_PATH = "/self-heal/credentials"
WEBHOOKS_PATH = "/self-heal/webhooks"
SLACK_SIGNING_PATH = "/self-heal/slack-signing"
LINK_KEY_PARAMETER = "/self-heal/link-key"
"""SecureString, created by `selfheal configure`: CloudFormation cannot create one."""
