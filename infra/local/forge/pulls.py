"""What can be done with pull requests, under GitHub's rules; REST API and web pages both go through here.

A pull request follows its branches: whoever looks gets the state that the branches have now. Refusals carry
the HTTP status and the words that GitHub answers with (https://docs.github.com/rest/pulls/pulls).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from infra.local.forge.git import ChangedFile, Git, GitCommit
from infra.local.forge.store import Comment, Pull, Repository, Store, now
from infra.local.forge.webhooks import Webhook

# GitHub's limits, in characters.
MAX_TITLE = 256
MAX_BODY = 65_536


class PullRefused(Exception):
    """GitHub would refuse this. status: of the HTTP answer; errors: its `errors` array."""

    def __init__(self, status: int, message: str, *errors: dict[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors


@dataclass(frozen=True, slots=True)
class PullContents:
    """What a pull request would bring: its commits, newest first, and the files they change."""

    commits: tuple[GitCommit, ...]
    files: tuple[ChangedFile, ...]


class Pulls:
    """Pull requests of a store's repositories. Every method raises PullRefused(404) for an unknown one."""

    def __init__(self, store: Store, webhook: Webhook = lambda event, payload: None) -> None:
        self._store = store
        self._webhook = webhook

    def repository(self, slug: str) -> Repository:
        """The repository, with every open pull request brought up to date with its branches."""
        with self._store.lock:
            repository = self._store.find(slug)
            if repository is None:
                raise PullRefused(404, "Not Found")
            git = self._store.git(slug)
            current = repository
            for pull in repository.pulls:
                followed = _followed(git, pull)
                current = current.with_pull(followed)
                if followed.state != pull.state:
                    self._tell(followed, "closed")
            if current != repository:
                self._store.save(current)
            return current

    def get(self, slug: str, number: int) -> Pull:
        """One pull request. Raises PullRefused(404)."""
        pull = self.repository(slug).pull(number)
        if pull is None:
            raise PullRefused(404, "Not Found")
        return pull

    def open(
        self, slug: str, *, title: str, body: str, head: str, base: str, author: str, draft: bool = False
    ) -> Pull:
        """Open a pull request; head is `branch` or `owner:branch`.

        Raises PullRefused(422) when a branch is missing, when nothing would be merged, and when head and base
        already have an open pull request.
        """
        with self._store.lock:
            repository = self.repository(slug)
            if not title.strip():
                raise invalid("title", "missing_field")
            owner, colon, branch = head.rpartition(":")
            git = self._store.git(slug)
            head_sha = git.branch(branch) if not colon or owner == repository.owner else None
            base_sha = git.branch(base)
            if head_sha is None:
                raise invalid("head")
            if base_sha is None:
                raise invalid("base")
            if any((p.state, p.head, p.base) == ("open", branch, base) for p in repository.pulls):
                raise _unprocessable(f"A pull request already exists for {repository.owner}:{branch}.")
            if git.merge_base(base_sha, head_sha) is None:
                raise _unprocessable(f"The {branch} branch has no history in common with {base}")
            if git.is_ancestor(head_sha, base_sha):
                raise _unprocessable(f"No commits between {base} and {branch}")
            pull = Pull(
                number=len(repository.pulls) + 1,
                title=_bounded("title", title.strip(), MAX_TITLE),
                body=_bounded("body", body, MAX_BODY),
                head=branch,
                base=base,
                head_sha=head_sha,
                base_sha=base_sha,
                author=author,
                created_at=(created := now()),
                updated_at=created,
                draft=draft,
            )
            git.keep(pull.number, head_sha)
            self._store.save(repository.with_pull(pull))
            return pull

    def edit(
        self,
        slug: str,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        state: str | None = None,
        draft: bool | None = None,
    ) -> Pull:
        """Change what is given. Raises PullRefused(422) for a blank title, or to reopen without a branch."""
        with self._store.lock:
            pull = before = self.get(slug, number)
            if title is not None and not title.strip():
                raise invalid("title", "missing_field")
            if title is not None:
                pull = replace(pull, title=_bounded("title", title.strip(), MAX_TITLE))
            if body is not None:
                pull = replace(pull, body=_bounded("body", body, MAX_BODY))
            if draft is not None:
                pull = replace(pull, draft=draft)
            if state not in (None, "open", "closed"):
                raise invalid("state")
            if state == "closed" and pull.state == "open":
                pull = replace(pull, closed_at=now())
            elif state == "open" and pull.state == "closed":
                if pull.merged_at or self._store.git(slug).branch(pull.head) is None:
                    raise _unprocessable("state cannot be changed. The pull request cannot be reopened.")
                pull = replace(pull, closed_at="")
            saved = self._save(slug, pull)
            if saved.state != before.state:
                self._tell(saved, "closed" if state == "closed" else "reopened")
            return saved

    def request_review(self, slug: str, number: int, logins: Sequence[str]) -> Pull:
        """Ask collaborators for a review. Raises PullRefused(422) for anybody else, and for the author."""
        with self._store.lock:
            repository = self.repository(slug)
            pull = self.get(slug, number)
            if pull.author in logins:
                raise PullRefused(422, "Review cannot be requested from pull request author.")
            if not set(logins) <= {*repository.collaborators, repository.owner}:
                raise PullRefused(
                    422,
                    "Reviews may only be requested from collaborators. One or more of the users or teams you "
                    f"requested is not a collaborator of the {slug} repository.",
                )
            return self._save(slug, replace(pull, reviewers=tuple(dict.fromkeys((*pull.reviewers, *logins)))))

    def add_labels(self, slug: str, number: int, labels: Sequence[str]) -> Pull:
        """Add labels; a label that nobody has used before comes into being, as on GitHub."""
        with self._store.lock:
            pull = self.get(slug, number)
            return self._save(slug, replace(pull, labels=tuple(dict.fromkeys((*pull.labels, *labels)))))

    def comment(
        self, slug: str, number: int, body: str, author: str, *, changes_requested: bool = False
    ) -> Comment:
        """Add a remark, or a review that asks for changes. Raises PullRefused(422) for a blank one."""
        with self._store.lock:
            pull = self.get(slug, number)
            if not body.strip():
                raise invalid("body", "missing_field", resource="IssueComment")
            text = _bounded("body", body, MAX_BODY)
            comment = Comment(len(pull.comments) + 1, author, text, now(), changes_requested)
            self._save(slug, replace(pull, comments=(*pull.comments, comment)))
            said = {"body": text, "user": {"login": author}}
            self._webhook("issue_comment", {"action": "created", "comment": said})
            return comment

    def mergeable(self, slug: str, pull: Pull) -> bool:
        """Whether `merge` would succeed now."""
        return (
            pull.state == "open"
            and not pull.draft
            and self._store.git(slug).merge_tree(pull.base_sha, pull.head_sha) is not None
        )

    def merge(
        self,
        slug: str,
        number: int,
        *,
        by: str,
        head_sha: str = "",
        title: str = "",
        text: str = "",
        squash: bool = False,
    ) -> Pull:
        """Merge with a merge commit on the base branch, or with one commit that has it all.

        head_sha: what the caller looked at, "" to merge whatever is there. Raises PullRefused(409) when head
        has moved since, PullRefused(405) when the pull request is not open or conflicts with its base.
        """
        with self._store.lock:
            repository, pull = self.repository(slug), self.get(slug, number)
            git = self._store.git(slug)
            if pull.state != "open":
                raise PullRefused(405, "Pull Request is not mergeable")
            if pull.draft:
                raise PullRefused(405, "Pull Request is still a draft")
            if head_sha and head_sha != pull.head_sha:
                raise PullRefused(409, "Head branch was modified. Review and try the merge again.")
            tree = git.merge_tree(pull.base_sha, pull.head_sha)
            if tree is None:
                raise PullRefused(405, "Pull Request is not mergeable")
            title = title or f"Merge pull request #{number} from {repository.owner}/{pull.head}"
            message = f"{title}\n\n{text or pull.title}\n"
            parents = (pull.base_sha,) if squash else (pull.base_sha, pull.head_sha)
            merged = git.merge_commit(tree, parents, message, by)
            if not git.update_branch(pull.base, merged, pull.base_sha):
                raise PullRefused(405, "Base branch was modified. Review and try the merge again.")
            when = now()
            closed = replace(pull, closed_at=when, merged_at=when, merged_by=by, merge_commit_sha=merged)
            saved = self._save(slug, closed)
            self._tell(saved, "closed")
            return saved

    def comparison(self, slug: str, pull: Pull) -> PullContents:
        """What the pull request brings, against where it left its base: live until it is closed."""
        git = self._store.git(slug)
        fork = git.merge_base(pull.base_sha, pull.head_sha) or pull.base_sha
        return PullContents(git.commits(pull.head_sha, without=pull.base_sha), git.diff(fork, pull.head_sha))

    def _tell(self, pull: Pull, action: str) -> None:
        told = {"number": pull.number, "merged": bool(pull.merged_at), "head": {"ref": pull.head}}
        self._webhook("pull_request", {"action": action, "pull_request": told})

    def _save(self, slug: str, pull: Pull) -> Pull:
        """Keep it in a repository that was brought up to date before."""
        pull = replace(pull, updated_at=now())
        repository = self._store.find(slug)
        if repository is None:
            raise PullRefused(404, "Not Found")
        self._store.save(repository.with_pull(pull))
        return pull


def _followed(git: Git, pull: Pull) -> Pull:
    """A pull request after what was pushed since: moved on, merged by hand, or closed with its branch."""
    if pull.state == "closed":
        return pull
    head, base = git.branch(pull.head), git.branch(pull.base)
    if base and base != pull.base_sha and git.is_ancestor(pull.head_sha, base):
        when = now()
        return replace(pull, closed_at=when, merged_at=when, merged_by=pull.author, merge_commit_sha=base)
    if head is None or base is None:
        return replace(pull, closed_at=now())
    if head != pull.head_sha:
        git.keep(pull.number, head)
    if (head, base) == (pull.head_sha, pull.base_sha):
        return pull
    return replace(pull, head_sha=head, base_sha=base, updated_at=now())


def invalid(field: str, code: str = "invalid", resource: str = "PullRequest") -> PullRefused:
    """GitHub's answer when a field is missing or has a value it cannot have."""
    return PullRefused(422, "Validation Failed", {"resource": resource, "field": field, "code": code})


def _unprocessable(message: str) -> PullRefused:
    error = {"resource": "PullRequest", "code": "custom", "message": message}
    return PullRefused(422, "Validation Failed", error)


def _bounded(field: str, text: str, limit: int) -> str:
    # A lone surrogate can come out of JSON but can go into no page and no file.
    text = text.encode("utf-8", errors="replace").decode("utf-8")
    if len(text) > limit:
        error = {"resource": "PullRequest", "field": field, "code": "custom"}
        raise PullRefused(
            422, "Validation Failed", error | {"message": f"{field} is too long (maximum is {limit})"}
        )
    return text
