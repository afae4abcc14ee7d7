"""The routes behind the function URL, or the signed-in API: Powertools' resolver in, HTML out.

    GET  a/<approval>?t=<link token>            shows; decides nothing, however often it is opened
    POST a/<approval>?t=<link token>            decides, once
    GET  a/<approval>/progress?t=<follow token> follows the decision
    GET  list/<app>?t=<list token>              what waits for the same person, is under way, happened lately
    GET  list                                   the same for whoever is signed in
    GET  static/<name>                          style sheet and icon
    POST slack                                  a click on a button in Slack, which signs it

All addresses within pages are relative: the page may lie below a path, and does on the embedded run.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.core.approval import links
from functions.core.approval.approvals import Approval, Verdict
from functions.core.approval.approvers import may_decide, person
from functions.core.approval.decisions import Answer, Decision, DecisionInvalid, Standing
from functions.core.approval.identity import LINK, NoIdentity
from functions.core.approval.links import Link, LinkExpired, LinkInvalid, Purpose
from functions.core.aws.deployment import Deployment
from functions.core.aws.telemetry import logger
from functions.core.aws.web import KEPT, NEVER_KEPT, SECURITY_HEADERS
from functions.core.incidents.incident import Status
from functions.core.workflow.errors import ArtifactChanged, IncidentNotFound
from functions.decide_approval import pages
from functions.decide_approval.case import load
from functions.decide_approval.follow import is_web, progress
from functions.decide_approval.overview import overview, visible_apps
from functions.decide_approval.pages import FormInput, Notice, Way
from functions.decide_approval.request import decider, source_address
from functions.decide_approval.slack_interactions import MOST_TRIES, SlackInteractions
from functions.decide_approval.slack_reply import Replies

# How long the page that follows a decision can be opened again; long enough for every retry of the workflow.
_FOLLOW_SECONDS = 24 * 3600
# The list leads to all that waits for its holder, so its address is good for a working day only.
_LIST_SECONDS = 8 * 3600
# A comment has at most 4,000 characters, at most 12 bytes each when percent-encoded.
_LARGEST_FORM = 64 * 1024

Page = Response[str]


def run(event: dict[str, Any], deployment: Deployment) -> dict[str, Any]:
    """A request (payload format 2.0) → its response."""
    return _resolver(deployment).resolve(event, LambdaContext())


@cache
def _resolver(deployment: Deployment) -> LambdaFunctionUrlResolver:
    return build(deployment)


class _Closed(Exception):
    """The request ends here with a notice."""

    def __init__(self, notice: Notice) -> None:
        super().__init__(notice.title)
        self.notice = notice


def build(deployment: Deployment, replies: Replies | None = None) -> LambdaFunctionUrlResolver:
    """The resolver. The deployment is asked for what a request needs: static files need no AWS."""
    app = LambdaFunctionUrlResolver()
    pages_ = _Pages(app, deployment)

    @app.route("/a/<approval_id>", method=["GET", "HEAD"])
    def show(approval_id: str) -> Page:
        return pages_.show(approval_id)

    @app.post("/a/<approval_id>")
    def decide(approval_id: str) -> Page:
        return pages_.decide(approval_id)

    @app.route("/a/<approval_id>/progress", method=["GET", "HEAD"])
    def follow(approval_id: str) -> Page:
        return pages_.follow(approval_id)

    @app.route("/list/<home>", method=["GET", "HEAD"])
    def everything(home: str) -> Page:
        return pages_.everything(home)

    @app.route("/list", method=["GET", "HEAD"])
    def mine() -> Page:
        return pages_.mine()

    @app.route("/static/<name>", method=["GET", "HEAD"])
    def static(name: str) -> Page:
        found = pages.static(name)
        if found is None:
            raise NotFoundError
        content_type, text = found
        return Response(HTTPStatus.OK, content_type, text, headers={**SECURITY_HEADERS, **KEPT})

    @app.post("/slack")
    def slack() -> Page:
        status, text = SlackInteractions(deployment, replies or Replies()).take(app.current_event.raw_event)
        return Response(status, "text/plain", text, headers={**SECURITY_HEADERS, **NEVER_KEPT})

    @app.not_found
    def not_found(_: NotFoundError) -> Page:
        return pages_.closed(pages.NOT_FOUND)

    def closed(error: _Closed) -> Page:
        return pages_.closed(error.notice)

    def broken(error: Exception) -> Page:
        logger().error("the page failed", exc_info=error)
        return pages_.closed(pages.BROKEN)

    app.exception_handler(_Closed)(closed)
    app.exception_handler(IncidentNotFound)(lambda _: pages_.closed(pages.MOVED))
    app.exception_handler(Exception)(broken)
    return app


class _Pages:
    """Handles one request at a time: Lambda never gives a process two at once."""

    def __init__(self, app: LambdaFunctionUrlResolver, deployment: Deployment) -> None:
        self._app = app
        self._deployment = deployment

    @property
    def depth(self) -> int:
        """Path segments below the base address, less the last: how far relative addresses must climb."""
        return self._app.current_event.path.count("/") - 1

    def show(self, approval_id: str) -> Page:
        link = self._link(approval_id, Purpose.DECIDE)
        approval = self._open(approval_id, link)
        return self._approval_page(HTTPStatus.OK, link, approval, FormInput())

    def decide(self, approval_id: str) -> Page:
        link = self._link(approval_id, Purpose.DECIDE)
        form = self._form()
        approval = self._deployment.approvals.get(approval_id)
        if approval is None:
            raise _Closed(pages.GONE)
        self._from_our_page(link, approval, form.get("form", ""))
        if not self._deployment.approvals.try_once(approval_id, MOST_TRIES):
            raise _Closed(pages.TOO_MANY)
        try:
            verdict = Verdict(form.get("decision", ""))
        except ValueError as error:
            raise _Closed(pages.BAD_REQUEST) from error
        decision = Decision(
            verdict,
            by=link.recipient,
            comment=form.get("comment", ""),
            reason=form.get("reason", ""),
            source_ip=source_address(self._app.current_event.raw_event, self._deployment.identity_from),
            via="link" if self._deployment.identity_from == LINK else "sign_in",
        )
        try:
            answer = self._deployment.decisions.decide(approval_id, decision)
        except DecisionInvalid as error:
            draft = FormInput(str(verdict), decision.comment, decision.reason, str(error))
            return self._approval_page(
                HTTPStatus.UNPROCESSABLE_ENTITY, link, self._open(approval_id, link), draft
            )
        if answer.standing is not Standing.ACCEPTED:
            notice = self._leading_on(pages.closed(answer.standing, answer.approval), link, answer)
            status = 409 if answer.standing is Standing.ALREADY_DECIDED else notice.status
            return self.html(status, self._notice(notice))
        return self.html(HTTPStatus.SEE_OTHER, "", {"Location": f"../{self._progress_of(link)}"})

    def follow(self, approval_id: str) -> Page:
        link = self._link(approval_id, Purpose.FOLLOW)
        deployment = self._deployment
        approval = deployment.approvals.get(approval_id)
        if approval is None or not approval.decided:
            raise _Closed(pages.GONE)
        approval = deployment.decisions.standing(approval).approval or approval
        incident = deployment.incidents.get(approval.incident_id)
        visits = deployment.visits(approval.execution_arn)
        again = incident.approval_id != approval_id
        newer = deployment.approvals.get(incident.approval_id) if again and incident.approval_id else None
        found = progress(approval, incident, datetime.now(UTC), visits, newer, link.recipient)
        # A header rather than an element, and a link that stops it: pages that reload themselves without a
        # way out shut people out (WCAG 2.2.1, 2.2.2).
        still = bool(self._query("still"))
        # With an address: without one, a browser that came by way of `#decide` would only scroll there again.
        refresh = f"{found.refresh_seconds}; url=?t={self._query('t')}"
        follow = {} if still or not found.refresh_seconds else {"Refresh": refresh}
        body = pages.progress_page(
            found,
            self._query("t"),
            self._list_of(link.recipient, approval.app),
            still=still,
            commands=deployment.commands,
        )
        return self.html(HTTPStatus.OK, body, follow)

    def everything(self, home: str) -> Page:
        """`home` is the app whose link led here."""
        return self._list(self._link(home, Purpose.LIST).recipient, home)

    def mine(self) -> Page:
        """Without a link, so only for whoever is signed in."""
        if self._deployment.identity_from == LINK:
            raise NotFoundError
        return self._list(self._who(""), "")

    def _list(self, reader: str, home: str) -> Page:
        deployment, key = self._deployment, self._keys()[0]
        apps = visible_apps(deployment.registry.apps(), reader, home)

        def link_to(approval: Approval) -> str:
            base = "../" * self.depth
            return links.url(base, Link(approval.approval_id, reader, approval.expires_at), key)

        found = overview(apps, reader, deployment.incidents, deployment.approvals, link_to)
        signed_in = deployment.identity_from != LINK
        body = pages.list_page(found, reader, self.depth, signed_in=signed_in, commands=deployment.commands)
        return self.html(HTTPStatus.OK, body)

    def _progress_of(self, link: Link) -> str:
        """The progress page's address below the base address, for the holder of a valid link."""
        follow = replace(link, expires_at=int(time.time()) + _FOLLOW_SECONDS)
        token = links.sign(follow, self._keys()[0], Purpose.FOLLOW)
        return f"a/{link.approval_id}/progress?t={token}"

    def _leading_on(self, notice: Notice, link: Link, answer: Answer) -> Notice:
        """A notice for the holder of a valid link, with where to go from there."""
        approval = answer.approval
        if approval is None or answer.standing is Standing.NOT_ALLOWED:
            return notice
        ways = [Way("What waits for you", self._list_of(link.recipient, approval.app))]
        if answer.standing is Standing.ALREADY_DECIDED:
            ways.insert(0, Way("What became of it", self._progress_of(link)))
            incident = self._deployment.incidents.get(approval.incident_id)
            if approval.decision == Verdict.APPROVE and is_web(incident.pull_request_url):
                ways.insert(0, Way("Open the pull request", incident.pull_request_url, ours=False))
        return replace(notice, ways=tuple(ways))

    def _list_of(self, recipient: str, home: str) -> str:
        """The list's address below the base address, for somebody who is known by a valid link."""
        link = Link(home, recipient, int(time.time()) + _LIST_SECONDS)
        return f"list/{home}?t={links.sign(link, self._keys()[0], Purpose.LIST)}"

    def closed(self, notice: Notice) -> Page:
        return self.html(notice.status, self._notice(notice))

    def _notice(self, notice: Notice) -> str:
        return pages.notice(notice, self.depth, self._deployment.commands)

    def html(self, status: int, body: str, headers: dict[str, str] | None = None) -> Page:
        """A page that nobody keeps."""
        head = self._app.current_event.http_method == "HEAD"
        return Response(
            int(status),
            "text/html; charset=utf-8",
            "" if head else body,
            headers={**SECURITY_HEADERS, **NEVER_KEPT, **(headers or {})},
        )

    def _keys(self) -> tuple[bytes, ...]:
        return self._deployment.link_keys.all()

    def _query(self, name: str) -> str:
        return (self._app.current_event.query_string_parameters or {}).get(name, "")

    def _link(self, approval_id: str, purpose: Purpose) -> Link:
        """The link that was opened, as that of whoever opened it."""
        try:
            link = links.verify(self._query("t"), approval_id, self._keys(), time.time(), purpose)
        except LinkExpired as error:
            raise _Closed(pages.EXPIRED) from error
        except LinkInvalid as error:
            raise _Closed(pages.FORGED) from error
        return replace(link, recipient=self._who(link.recipient))

    def _who(self, recipient: str) -> str:
        try:
            return decider(self._app.current_event.raw_event, recipient, self._deployment.identity_from)
        except NoIdentity as error:
            raise _Closed(pages.nobody(str(error))) from error

    def _open(self, approval_id: str, link: Link) -> Approval:
        """The approval, if it is open for a decision by the link's recipient."""
        deployment = self._deployment
        approval = deployment.approvals.get(approval_id)
        if approval is None:
            raise _Closed(pages.GONE)
        answer = deployment.decisions.standing(approval)
        if answer.standing is not Standing.ACCEPTED or answer.approval is None:
            raise _Closed(self._leading_on(pages.closed(answer.standing, answer.approval), link, answer))
        if not may_decide(link.recipient, answer.approval.approvers):
            raise _Closed(pages.NOT_ALLOWED)
        if answer.approval.first_person == person(link.recipient):
            raise _Closed(self._leading_on(pages.endorsed(answer.approval), link, answer))
        return answer.approval

    def _approval_page(self, status: int, link: Link, approval: Approval, draft: FormInput) -> Page:
        deployment = self._deployment
        try:
            case = load(approval, deployment.approvals, deployment.incidents, deployment.artifacts)
        except ArtifactChanged as error:
            logger().error("what would be shown differs from what was proven", exc_info=error)
            raise _Closed(pages.CHANGED) from error
        if case.incident.status is Status.FAILED:
            everything = Way("What waits for you", self._list_of(link.recipient, approval.app))
            raise _Closed(replace(pages.STOPPED, ways=(everything,)))
        form = links.sign(link, self._keys()[0], Purpose.FORM, approval.patch_sha256)
        return self.html(
            status,
            pages.approval_page(
                case,
                link.recipient,
                form,
                draft,
                self._list_of(link.recipient, approval.app),
                commands=deployment.commands,
                console=deployment.console,
            ),
        )

    def _from_our_page(self, link: Link, approval: Approval, token: str) -> None:
        """The form must come from the page that this link showed, about these bytes, in this browser."""
        site = self._app.current_event.headers.get("sec-fetch-site", "same-origin")
        try:
            shown = links.verify(
                token, link.approval_id, self._keys(), time.time(), Purpose.FORM, approval.patch_sha256
            )
        except LinkInvalid as error:
            raise _Closed(pages.STALE_FORM) from error
        if shown != link or site not in ("same-origin", "none"):
            raise _Closed(pages.STALE_FORM)

    def _form(self) -> dict[str, str]:
        try:
            body = self._app.current_event.decoded_body or ""
            fields = parse_qs(body[:_LARGEST_FORM], keep_blank_values=True, max_num_fields=20)
        except ValueError as error:  # neither base64 nor UTF-8, or more fields than any form of ours has
            raise _Closed(pages.BAD_REQUEST) from error
        if len(body) > _LARGEST_FORM:
            raise _Closed(pages.BAD_REQUEST)
        return {name: values[0] for name, values in fields.items()}
