"""The embedded forge: real git over HTTP, a part of GitHub's API, a page per pull request."""

from infra.local.forge.server import ForgeServer

__all__ = ["ForgeServer"]
