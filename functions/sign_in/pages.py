"""The few pages of signing in: what went wrong, and how to go on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

# RFC 6749, 4.1.2.1 and OIDC Core, 3.1.2.6: lower-case words. Anything else is a stranger's text.
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="stylesheet" href="/sign-in/style.css">
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
<p><a href="{again}">{go_on}</a></p>
</main>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class SignInPage:
    """A page. `go_on` is what the link to another sign-in says."""

    status: int
    title: str
    text: str
    go_on: str = "Try again"


ENDED = SignInPage(
    401,
    "Your session has ended",
    "Nothing was decided. Sign in and decide again; your browser's back button may have what you wrote.",
    "Sign in and go on",
)
SIGNED_OUT = SignInPage(
    200,
    "You are signed out",
    "Here, that is: at your identity provider you may still be signed in.",
    "Sign in",
)
LOST = SignInPage(
    400,
    "This sign-in was lost",
    "It took too long, was used before, or began in another browser. Open the notification's link again.",
    "Sign in",
)
UNREACHABLE = SignInPage(
    502,
    "The identity provider does not answer",
    "Nobody can sign in until it does. The `selfheal` commands still decide, with an AWS identity.",
)
UNUSABLE = SignInPage(
    502,
    "Signing in does not work",
    "The identity provider's answer cannot be used. Tell whoever runs this system: sign_in's log says why.",
)
TOO_BIG = SignInPage(
    502,
    "Your sign-in does not fit in a cookie",
    "The provider's token says too much about you. Whoever runs it can leave out claims, such as groups, for "
    "this application.",
)
NOT_FOUND = SignInPage(
    404, "There is nothing here", "Open the link from the notification.", "See what waits for you"
)


def refused(code: str) -> SignInPage:
    """The provider sent somebody back without a code; `code` is the reason in its words."""
    reason = f" ({code})" if _ERROR_CODE.fullmatch(code) else ""
    return SignInPage(
        403,
        "You were not signed in",
        f"The identity provider refused{reason}, or you cancelled. For access, ask whoever runs it.",
    )


def nobody(why: str) -> SignInPage:
    """The provider knows somebody, but this deployment cannot tell who."""
    return SignInPage(403, "It is not clear who you are", f"{why} Ask whoever runs it.")


def html(notice: SignInPage, again: str) -> str:
    """The page; `again` is where its link leads."""
    return _PAGE.format(
        title=escape(notice.title), text=escape(notice.text), again=escape(again), go_on=escape(notice.go_on)
    )
