"""Whom connections to an app's forge trust: the public authorities, and the app's own where it names some."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functions.core.apps.app import App


def authorities(app: App) -> str:
    """A file of certificates in PEM, for requests and for git; "" where the public ones are all."""
    if not app.certificate_authority:
        return ""
    import certifi

    text = f"{certifi.contents()}\n{app.certificate_authority}\n"
    file = Path(tempfile.gettempdir(), f"self-heal-{hashlib.sha256(text.encode()).hexdigest()[:32]}.pem")
    if not file.exists() or file.read_text() != text:
        # Another thread may read it at this moment.
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as fresh:
            fresh.write(text)
        Path(fresh.name).replace(file)
    return str(file)
