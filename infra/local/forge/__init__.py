"""The embedded forge: real git over HTTP, part of GitHub's REST API, a page per pull request."""

from infra.local.forge.server import Forge, Outage

__all__ = ["Forge", "Outage"]
