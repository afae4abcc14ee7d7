"""A git remote over HTTP or SSH, through GitPython: without the host's git configuration or prompts, with the
credential out of sight, bounded in time and bytes, and with its failures in the workflow's vocabulary."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from functions.core.forge.deploy_key import NOT_VERIFIED, REFUSED, DeployKey
from functions.core.forge.trust import authorities
from functions.core.workflow.errors import (
    ForgeAccessDenied,
    ForgeUnavailable,
    RepositoryNotFound,
    SourceTooLarge,
)

if TYPE_CHECKING:
    from git import Repo

    from functions.core.apps.app import App

# What git prints, in the order in which it is looked for; LC_ALL=C is set by GitPython.
_NO_SUCH_REF = re.compile(
    r"couldn't find remote ref|not our ref|unadvertised object|no such remote ref", re.I
)
_DENIED = re.compile(
    r"Authentication failed|could not read (?:Username|Password)|terminal prompts disabled"
    r"|returned error: 40[13]|Permission to .* denied|Write access .* not granted|Invalid username or"
    # Of deploy keys: ours, GitHub's of one that may only read, GitLab's of one.
    rf"|{REFUSED}|marked as read only|does not have write access|not allowed to push",
    re.I,
)
_NOT_FOUND = re.compile(
    r"repository '.*' not found|Repository not found|returned error: (?:404|30\d)|redirect", re.I
)


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository on a forge.

    url: without credentials; token: the forge's, "" for none; credentials: name of the parameter that holds
    the token, for messages; authorities: file of certificates to trust, "" for the public ones; key: by which
    git speaks SSH instead; protocols: what git may speak; seconds: per git command; bytes: what the local
    repository may grow to.
    """

    url: str
    token: str = field(default="", repr=False)
    credentials: str = ""
    authorities: str = ""
    key: DeployKey | None = None
    protocols: tuple[str, ...] = ("https", "http")
    seconds: float = 120.0
    bytes: int = 256 * 1024 * 1024

    @classmethod
    def of(cls, app: App, token: str, key: DeployKey | None = None) -> Remote:
        if key is not None:
            return cls(url=key.url, key=key, protocols=("ssh",))
        return cls(url=app.repository, token=token, credentials=app.credentials, authorities=authorities(app))

    @contextmanager
    def repository(self) -> Iterator[Repo]:
        """An empty bare repository in a private directory of its own, which is gone again afterwards."""
        from git import Git, Repo

        with tempfile.TemporaryDirectory(prefix="self-heal-") as directory:
            environment = self._environment(directory)
            git = Git(directory)
            git.update_environment(**environment)
            # No template: it could bring hooks along.
            git.execute(["git", "init", "--quiet", "--bare", "--template=", "repository.git"])
            repo = Repo(Path(directory) / "repository.git")
            try:
                repo.git.update_environment(**environment)
                yield repo
            finally:
                repo.close()

    def fetch(self, repo: Repo, ref: str, depth: int = 1) -> str | None:
        """Fetch one commit, without tags: its id, or None where that is none of the remote's.

        ref: a full commit id, or a ref such as `refs/heads/main` or `v1.2`; depth: how many commits of its
        history, itself included.
        Raises ForgeUnavailable, ForgeAccessDenied, RepositoryNotFound, SourceTooLarge.
        """
        from git import GitCommandError

        options = ("--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--quiet")
        asked = ("fetch", f"--depth={depth}", *options, "--", self.url)
        failure = self.run(repo, *asked, f"+{ref}:refs/self-heal/fetched")
        if failure and _NO_SUCH_REF.search(failure):
            return None
        if failure:
            raise self.explain(failure)
        try:
            return str(repo.git.rev_parse("--verify", "refs/self-heal/fetched^{commit}"))
        except GitCommandError:  # a directory, a file, or a tag of one
            return None

    def tips(self, repo: Repo) -> dict[str, str]:
        """Branches and tags of the remote → the commit that each stands for.

        Raises ForgeUnavailable, ForgeAccessDenied, RepositoryNotFound.
        """
        listing, failure = self.ask(repo, "ls-remote", "--heads", "--tags", "--", self.url)
        if failure:
            raise self.explain(failure)
        rows = (line.split("\t") for line in listing.splitlines() if "\t" in line)
        # An annotated tag has two lines; the second one, of the commit behind it, ends in ^{}.
        return {ref.removesuffix("^{}"): sha for sha, ref in rows}

    def run(self, repo: Repo, *arguments: str) -> str:
        """Run a git command that talks to the remote: "" when it went well, else what it printed.

        For failures that mean something to the caller; hand all others to `explain`.
        Raises ForgeUnavailable after `seconds`, SourceTooLarge beyond `bytes`.
        """
        return self.ask(repo, *arguments)[1]

    def ask(self, repo: Repo, *arguments: str) -> tuple[str, str]:
        """What the command wrote to standard output, and as `run` says."""
        # Its own session, so that the transport helpers which git starts end with it.
        process = repo.git.execute(["git", *arguments], as_process=True, start_new_session=True)
        popen = process.proc
        if popen is None:
            raise ForgeUnavailable(f"{self.url}: git {arguments[0]} could not be started")
        deadline = time.monotonic() + self.seconds
        try:
            while True:
                try:
                    written, printed = popen.communicate(timeout=0.1)
                    break
                except subprocess.TimeoutExpired:
                    if time.monotonic() > deadline:
                        raise ForgeUnavailable(
                            f"{self.url}: git {arguments[0]} took over {self.seconds:g} s and was stopped"
                        ) from None
                    self._check_size(Path(repo.git_dir))
        finally:
            if popen.poll() is None:
                os.killpg(popen.pid, signal.SIGKILL)
                popen.communicate()
        self._check_size(Path(repo.git_dir))
        text = printed.decode(errors="replace").strip()
        failure = "" if popen.returncode == 0 else text or f"git ended with status {popen.returncode}"
        return written.decode(errors="replace"), failure

    def explain(self, printed: str) -> Exception:
        """The workflow's error for what git printed, with a message that holds no credential."""
        said = self._clean(printed)
        if NOT_VERIFIED in printed:
            return ForgeAccessDenied(
                f"{self.url}: {NOT_VERIFIED}, so nothing was sent: somebody may stand between, or the forge"
                " has a new one. If it publishes that, set the app's 'ssh_host_keys', then redrive"
            )
        if _DENIED.search(printed):
            return ForgeAccessDenied(
                f"{self.url}: access refused; {self._renew()}, then redrive. Git said: {said}"
            )
        if _NOT_FOUND.search(printed) or _NO_SUCH_REF.search(printed):
            return RepositoryNotFound(
                f"{self.url}: not found, moved, or hidden from these credentials; check the app's repository"
                f" and branch, then redrive. Git said: {said}"
            )
        return ForgeUnavailable(f"{self.url}: could not be reached or failed. Git said: {said}")

    def _renew(self) -> str:
        if self.key is not None:
            return "add the deploy key to the repository, with write access"
        return f"renew the token in {self.credentials!r}" if self.credentials else "set the app's credentials"

    def _clean(self, printed: str) -> str:
        from functions.core.untrusted.redaction import redact

        text = " ".join(printed.split())
        for secret in filter(None, (self.token, self._basic())):
            text = text.replace(secret, "***")
        return redact(text)[:500]

    def _basic(self) -> str:
        # Any user name does for GitHub with a token as password; this is the one it documents.
        return base64.b64encode(f"x-access-token:{self.token}".encode()).decode()

    def _environment(self, home: str) -> dict[str, str]:
        config = {
            "core.hooksPath": os.devnull,
            "credential.helper": "",
            "fetch.unpackLimit": "1",
            "gc.auto": "0",
            "maintenance.auto": "false",
            # After a redirect git would send its headers, the token among them, to wherever that led.
            "http.followRedirects": "false",
            "http.lowSpeedLimit": "1000",
            "http.lowSpeedTime": "30",
            "submodule.recurse": "false",
        }
        if self.token:
            parts = urlsplit(self.url)
            header = f"Authorization: Basic {self._basic()}"
            config[f"http.{parts.scheme}://{parts.netloc}/.extraHeader"] = header
        environment = {
            "HOME": home,
            "GIT_ALLOW_PROTOCOL": ":".join(self.protocols),
            "GIT_ASKPASS": "",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_COUNT": str(len(config)),
        }
        if self.key is not None:
            environment |= self.key.environment()
        if self.authorities:
            # The variable, because one that is set already would win over the setting.
            environment["GIT_SSL_CAINFO"] = self.authorities
        for index, (key, value) in enumerate(config.items()):
            environment |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
        return environment

    def _check_size(self, directory: Path) -> None:
        size = 0
        for folder, _, files in os.walk(directory):
            for name in files:
                try:
                    size += (Path(folder) / name).stat().st_size
                except FileNotFoundError:  # git renames its temporary packs while we look
                    continue
        if size > self.bytes:
            raise SourceTooLarge(
                f"{self.url}: the commit takes more than the {self.bytes / 1e6:,.0f} MB that a heal may fetch"
            )
