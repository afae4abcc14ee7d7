"""Names that the stack and the command line must agree on. No CDK here: the command starts fast."""

STACK_NAME = "SelfHealingCode"
REGISTRY_PATH = "/self-heal/apps"
WEBHOOKS_PATH = "/self-heal/webhooks"
SLACK_SIGNING_PATH = "/self-heal/slack-signing"
SIGN_IN_CLIENT_PARAMETER = "/self-heal/sign-in-client-secret"
LINK_KEY_PARAMETER = "/self-heal/link-key"
"""SecureString, created by `selfheal configure`: CloudFormation cannot create one."""
