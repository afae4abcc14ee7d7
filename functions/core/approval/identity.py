"""Who somebody signed in as: the one claim of an identity token that a deployment takes for a person.

Which claim that is, the deployment says (`identity_from`), because no claim means the same at every provider:
a user of Amazon Cognito may choose their own `preferred_username`, a user of Microsoft Entra cannot.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from functions.core.approval.approvers import EVERYBODY

LINK = "link"
"""`identity_from` of a deployment without sign-in: whoever a link was sent to is who decides."""

# One word of visible ASCII. Persons are compared without regard to case, and other scripts have letters that
# fold to Latin ones (the Kelvin sign is a `k`): somebody could pass for somebody else.
_IDENTITY = re.compile(r"[!-~]{1,255}")


class NoIdentity(Exception):
    """The claims do not say who it is; the message tells the person why."""


def identity(claims: Mapping[str, object], claim: str) -> str:
    """The identity in `claims`: a token's own, or as API Gateway passes them on, where all are strings.

    An e-mail address counts only if the provider says that it is verified: else anybody may have typed it.
    https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims

    Raises NoIdentity.
    """
    value = claims.get(claim)
    if not isinstance(value, str) or not _IDENTITY.fullmatch(value):
        raise NoIdentity(f"Your sign-in does not say who you are: it has no usable {claim!r}.")
    if claim == "email" and claims.get("email_verified") not in (True, "true"):
        raise NoIdentity("The identity provider has not verified your e-mail address.")
    # What stands for other kinds of approvers is nobody's name.
    if value.casefold() == EVERYBODY or value.casefold().startswith(("arn:", "slack:")):
        raise NoIdentity(f"Your sign-in's {claim!r} is not the name of a person.")
    return value
