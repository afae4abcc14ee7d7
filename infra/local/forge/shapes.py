"""The JSON that GitHub's REST API answers with, as far as its clients read it (https://docs.github.com/rest)."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from infra.local.forge.git import DEFAULT_BRANCH, GitCommit
from infra.local.forge.store import Comment, Pull, Repository

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shapes:
    """Builds answers; their addresses start with `web` (pages, clones) or `api`, without final slash."""

    web: str
    api: str

    def user(self, login: str) -> Json:
        return {
            "login": login,
            "id": _number(login),
            "type": "User",
            "site_admin": False,
            "url": f"{self.api}/users/{quote(login)}",
            "html_url": f"{self.web}/{quote(login)}",
        }

    def team(self, name: str) -> Json:
        slug = name.partition("/")[2]
        return {"id": _number(name), "slug": slug, "name": slug}

    def repository(self, repository: Repository) -> Json:
        slug = repository.slug
        return {
            "id": _number(slug),
            "name": repository.name,
            "full_name": slug,
            "owner": self.user(repository.owner),
            "private": repository.private,
            "visibility": "private" if repository.private else "public",
            "fork": False,
            "archived": False,
            "disabled": False,
            "default_branch": DEFAULT_BRANCH,
            "url": f"{self.api}/repos/{slug}",
            "html_url": f"{self.web}/{slug}",
            "clone_url": f"{self.web}/{slug}.git",
            "created_at": repository.created_at,
            "open_issues_count": sum(pull.state == "open" for pull in repository.pulls),
            "allow_merge_commit": True,
            "allow_squash_merge": True,
            "allow_rebase_merge": True,
            "permissions": {"admin": False, "push": True, "pull": True},
        }

    def branch(self, repository: Repository, name: str, commit: GitCommit) -> Json:
        return {
            "name": name,
            "protected": False,
            "commit": self.commit(repository, commit),
        }

    def commit(self, repository: Repository, commit: GitCommit) -> Json:
        return {
            "sha": commit.sha,
            "url": f"{self.api}/repos/{repository.slug}/commits/{commit.sha}",
            "html_url": f"{self.web}/{repository.slug}/commit/{commit.sha}",
            "commit": {"message": commit.subject, "author": {"name": commit.author, "date": commit.date}},
        }

    def comparison(
        self,
        repository: Repository,
        base: GitCommit,
        ahead: tuple[GitCommit, ...],
        behind: tuple[GitCommit, ...],
    ) -> Json:
        status = {(False, False): "identical", (True, False): "ahead", (False, True): "behind"}
        return {
            "merge_base_commit": self.commit(repository, base),
            "status": status.get((bool(ahead), bool(behind)), "diverged"),
            "ahead_by": len(ahead),
            "behind_by": len(behind),
            "total_commits": len(ahead),
            "commits": [self.commit(repository, one) for one in reversed(ahead)],
        }

    def pull(self, repository: Repository, pull: Pull, mergeable: bool | None = None) -> Json:
        """`mergeable` is what only a single pull request's answer has; None: unknown, as in lists."""
        api = f"{self.api}/repos/{repository.slug}"
        end = {"user": self.user(repository.owner), "repo": self.repository(repository)}
        return {
            "id": _number(f"{repository.slug}#{pull.number}"),
            "number": pull.number,
            "url": f"{api}/pulls/{pull.number}",
            "html_url": f"{self.web}/{repository.slug}/pull/{pull.number}",
            "issue_url": f"{api}/issues/{pull.number}",
            "comments_url": f"{api}/issues/{pull.number}/comments",
            "state": pull.state,
            "draft": pull.draft,
            "node_id": node_id(repository.slug, pull.number),
            "locked": False,
            "title": pull.title,
            "body": pull.body or None,
            "user": self.user(pull.author),
            "created_at": pull.created_at,
            "updated_at": pull.updated_at,
            "closed_at": pull.closed_at or None,
            "merged_at": pull.merged_at or None,
            "merged": bool(pull.merged_at),
            "merged_by": self.user(pull.merged_by) if pull.merged_by else None,
            "merge_commit_sha": pull.merge_commit_sha or None,
            "mergeable": mergeable,
            "mergeable_state": {True: "clean", False: "dirty", None: "unknown"}[mergeable],
            "comments": len(pull.comments),
            "labels": [self.label(repository, name) for name in pull.labels],
            "requested_reviewers": [self.user(name) for name in pull.reviewers if "/" not in name],
            "requested_teams": [self.team(name) for name in pull.reviewers if "/" in name],
            "assignees": [],
            "head": {"label": f"{repository.owner}:{pull.head}", "ref": pull.head, "sha": pull.head_sha}
            | end,
            "base": {"label": f"{repository.owner}:{pull.base}", "ref": pull.base, "sha": pull.base_sha}
            | end,
        }

    def label(self, repository: Repository, name: str) -> Json:
        return {
            "id": _number(name),
            "name": name,
            "color": "ededed",
            "url": f"{self.api}/repos/{repository.slug}/labels/{quote(name, safe='')}",
        }

    def review(self, repository: Repository, pull: Pull, comment: Comment) -> Json:
        return {
            "id": comment.number,
            "user": self.user(comment.author),
            "body": comment.body,
            "state": "CHANGES_REQUESTED" if comment.changes_requested else "COMMENTED",
            "submitted_at": comment.created_at,
            "commit_id": pull.head_sha,
            "html_url": f"{self.web}/{repository.slug}/pull/{pull.number}#comment-{comment.number}",
        }

    def comment(self, repository: Repository, pull: Pull, comment: Comment) -> Json:
        page = f"{self.web}/{repository.slug}/pull/{pull.number}#comment-{comment.number}"
        return {
            "id": comment.number,
            "body": comment.body,
            "user": self.user(comment.author),
            "created_at": comment.created_at,
            "updated_at": comment.created_at,
            "html_url": page,
            "issue_url": f"{self.api}/repos/{repository.slug}/issues/{pull.number}",
        }


def node_id(slug: str, number: int) -> str:
    """What GraphQL calls a pull request."""
    return base64.b64encode(f"PR {slug} {number}".encode()).decode()


def of_node_id(text: str) -> tuple[str, int] | None:
    """Slug and number; None for what is no such id."""
    try:
        kind, slug, number = base64.b64decode(text, validate=True).decode().split(" ")
        return (slug, int(number)) if kind == "PR" else None
    except ValueError:
        return None


def _number(name: str) -> int:
    # GitHub has numeric ids; ours only have to be steady.
    return zlib.crc32(name.encode())
