"""The embedded forge: real git over HTTP, parts of GitHub's and GitLab's APIs, a page per pull request."""

from infra.local.forge.server import ForgeServer

__all__ = ["ForgeServer"]
