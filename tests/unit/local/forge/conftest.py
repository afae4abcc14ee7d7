"""A started forge with one private repository, and what talks to it."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from git import Repo
from github import Auth, Github

from tests.fakes.forge import Forge

TOKEN = "correct-horse"
SLUG = "acme/orders"
APP = 'PRICES = {"tea": 3}\n\n\ndef total(order):\n    return sum(PRICES[item] for item in order)\n'


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Site:
    """A forge under test, its first commit, and a working copy's way to it."""

    forge: Forge
    directory: Path
    first_sha: str
    scratch: Path
    slug: str = SLUG
    token: str = TOKEN
    clones: list[Repo] = field(default_factory=list)

    def clone_url(self, slug: str = SLUG, password: str | None = TOKEN) -> str:
        credentials = f"x-access-token:{password}@" if password else ""
        return f"http://{credentials}{urlsplit(self.forge.url).netloc}/{slug}.git"

    def clone(self, slug: str = SLUG, password: str | None = TOKEN) -> Repo:
        target = self.scratch / f"clone-{len(self.clones)}"
        # No helper of this machine may add credentials, and nobody is there to be asked.
        env = {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        repo = Repo.clone_from(self.clone_url(slug, password), target, env=env)
        with repo.config_writer() as config:
            config.set_value("user", "name", "Bot").set_value("user", "email", "bot@localhost")
        self.clones.append(repo)
        return repo

    def push(
        self, branch: str, files: Mapping[str, str], *, message: str = "Change", start: str = "main"
    ) -> str:
        """Commit files on a new branch (or on top of the old one) and push it; returns the sha."""
        repo = self.clone()
        known = [reference.remote_head for reference in repo.remotes.origin.refs]
        origin = branch if branch in known else start
        repo.git.checkout("-B", branch, f"origin/{origin}")
        for path, text in files.items():
            file = Path(repo.working_dir, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        repo.git.add("--all")
        repo.git.commit("-m", message)
        repo.git.push("origin", f"HEAD:refs/heads/{branch}")
        return repo.head.commit.hexsha

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One HTTP request with the path exactly as given."""
        connection = http.client.HTTPConnection(urlsplit(self.forge.url).netloc, timeout=20)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def github(self, token: str | None = TOKEN) -> Github:
        auth = Auth.Token(token) if token else None
        return Github(
            base_url=self.forge.api_url,
            auth=auth,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
        )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    directory.mkdir()
    (directory / "app.py").write_text(APP, encoding="utf-8")
    (directory / "README.md").write_text("# Orders\n", encoding="utf-8")
    return directory


@pytest.fixture
def site(tmp_path: Path, source: Path) -> Iterator[Site]:
    forge = Forge(tmp_path / "forge", TOKEN)
    sha = forge.create_repository(SLUG, source, collaborators=["ann"])
    forge.start()
    site = Site(forge, tmp_path / "forge", sha, tmp_path)
    yield site
    for repo in site.clones:
        repo.close()
    forge.stop()


@pytest.fixture
def fixed(site: Site) -> str:
    """Branch `fix` with one commit ahead of main; its sha."""
    return site.push(
        "fix", {"app.py": APP.replace("PRICES[item]", "PRICES.get(item, 0)")}, message="Unknown items"
    )
