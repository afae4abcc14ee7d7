"""The embedded repair model: rules over syntax trees behind an OpenAI-compatible endpoint.

It stands where a large model stands in production. MiniStack's Bedrock sends it each Converse request as
`/v1/chat/completions`, so the production code path runs, tool call included. It repairs what its rules
cover, abstains otherwise, and knows Python, not any particular application.

    python -m infra.local.model --port 8089
"""
