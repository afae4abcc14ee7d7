"""Wheels made by hand, in an index on this machine: fixtures of the tests that install.

The index is a folder, which tells no dates. With a file `dated` in it, it answers as PEP 691 and 700 say,
and a wheel was uploaded when its file was changed last.
"""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

MakeWheel = Callable[..., Path]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """(folder of a simple index, the environment that makes uv use it and nothing else)."""
    folder = tmp_path / "simple"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "UV_DEFAULT_INDEX": f"http://127.0.0.1:{server.server_port}/",
    }
    yield folder, environment
    server.shutdown()
    server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        folder = Path(self.translate_path(self.path))
        if not Path(self.directory, "dated").exists() or not folder.is_dir():
            super().do_GET()
            return
        files = [
            {
                "filename": path.name,
                "url": path.name,
                "hashes": {},
                "upload-time": datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(),
            }
            for path in sorted(folder.iterdir())
        ]
        body = json.dumps({"meta": {"api-version": "1.1"}, "name": folder.name, "files": files}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return

    def log_error(self, *args: object) -> None:
        return


@pytest.fixture
def make_wheel(index: tuple[Path, dict[str, str]]) -> MakeWheel:
    """Put a wheel of one module into the index; tag: what it is built for; python: its Requires-Python."""

    def make(
        name: str,
        version: str,
        code: str = "",
        *,
        requires: str = "",
        plugin: bool = False,
        tag: str = "py3-none-any",
        python: str = "",
    ) -> Path:
        about = f"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: {tag}\n"
        info, body = f"{name}-{version}.dist-info", io.BytesIO()
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        metadata += f"Requires-Python: {python}\n" if python else ""
        files = {
            f"{name}.py": code or f"VERSION = {version!r}\n",
            f"{info}/METADATA": metadata + (f"Requires-Dist: {requires}\n" if requires else ""),
            f"{info}/WHEEL": about,
            f"{info}/RECORD": "",
        }
        if plugin:
            files[f"{info}/entry_points.txt"] = f"[pytest11]\n{name} = {name}\n"
        with zipfile.ZipFile(body, "w") as wheel:
            for path, text in files.items():
                wheel.writestr(path, text)
        target = index[0] / name.replace("_", "-") / f"{name}-{version}-{tag}.whl"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(body.getvalue())
        return target

    return make
