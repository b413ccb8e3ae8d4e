"""80-verify: proof by a real login, a real server and a real kernel."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from runbook import facts, safe_files, secrets
from runbook.checks import Check
from runbook.hub.client import HubSession
from runbook.hub.probe_account import MEMBER, OUTSIDER, Account, ProbeAccount, probe_account
from runbook.hub.web import HubError, LoginRefused, ServiceClient, hub_version
from runbook.resources import Resource
from runbook.stages.base import Stage
from runbook.stages.handlers import Handlers
from runbook.stages.parameters import Login
from runbook.stages.services import VERIFIER, Services
from runbook.stages.survival import Survival

# Answers who the kernel is, and shows that it computes.
QUESTION = """
import getpass, json, os
print(json.dumps({"user": getpass.getuser(), "uid": os.getuid(), "answer": 6 * 7}))
"""


class Verify(Survival, Services, Handlers, Login, Stage):
    """The proof: nothing is taken on trust, and nothing is left behind."""

    name = "80-verify"
    only_looks = True

    def at_start(self) -> Iterator[Check]:
        yield from ()  # nothing but what the stages ask that it is made of

    def checks(self) -> Iterator[Check]:
        if self.dry_run:
            yield Check("ok", "the hub", "will be asked once it runs")
            return
        try:
            version = hub_version(self.local_url, self.verify_tls)
        except HubError as error:
            yield Check("failed", "the hub", error.message, "run 70-launch first")
        else:
            yield Check("ok", "the hub", f"JupyterHub {version} at {self.local_url}")

    def resources(self) -> Iterator[Resource]:
        if self.authenticator == "pam":
            yield from (ProbeAccount(MEMBER), ProbeAccount(OUTSIDER))

    def probes(self) -> Iterator[Check]:
        with ExitStack() as stack:
            if self.authenticator == "pam":
                stack.callback(self._forget)
                member = stack.enter_context(probe_account(group=self.user_group))
                outsider = stack.enter_context(probe_account())
                yield from self._refusals(member, outsider)
            else:
                member = self._shared_account()
                yield self._refused(member.name, secrets.make_password(), "a wrong password")
            yield from self._proof(member)
        yield from self._nothing_left()
        for service in self.with_tokens():
            yield self.token_works(service, self.local_url, self.verify_tls)

    def versions(self) -> Mapping[str, str]:
        return {"jupyterhub": hub_version(self.local_url, self.verify_tls)}

    def _shared_account(self) -> Account:
        name = (self.users or [facts.current_user()])[0]
        password = safe_files.text(self.state("shared_password")).strip()
        return Account(name, secrets.register(password))

    def _refusals(self, member: Account, outsider: Account) -> Iterator[Check]:
        """PAM takes seconds over a wrong password on purpose, so both are asked at once."""
        cases = (
            (member.name, secrets.make_password(), "a wrong password"),
            (outsider.name, outsider.password, "an account outside the group"),
        )
        with ThreadPoolExecutor() as pool:
            yield from pool.map(lambda case: self._refused(*case), cases)

    def _refused(self, name: str, password: str, what: str) -> Check:
        with HubSession(self.local_url, verify=self.verify_tls) as session:
            try:
                session.login(name, password)
            except LoginRefused as error:
                return Check("ok", f"{what} is refused", error.message)
        return Check("failed", f"{what} is refused", f"{name} was let in", "look at 40-pam")

    def _proof(self, account: Account) -> Iterator[Check]:
        """Log in, start the server, run a kernel, see the pages, stop the server."""
        with HubSession(self.local_url, verify=self.verify_tls) as session:
            session.login(account.name, account.password)
            yield Check("ok", "login through the public port", f"as {session.username}")
            yield self._cookies(session)
            was_running = session.running()
            try:
                yield Check("ok", "the server starts", session.spawn())
                yield self._kernel(session, account)
                yield from self.output(account.name)
                yield from self._pages(session)
                yield from self.outlives_the_hub(session)
            finally:
                if not was_running:
                    session.stop_server()
        found = "left running: it was before" if was_running else "stopped again"
        yield Check("ok", "the server", found)

    def _cookies(self, session: HubSession) -> Check:
        """Of a login: not for scripts, not for other sites, and behind TLS by https alone."""
        wanted = {"HttpOnly", "SameSite", *(["Secure"] if self.tls != "off" else [])}
        held = {name: flags for name, flags in session.cookies().items() if name != "_xsrf"}
        lacking = {name: sorted(wanted - flags) for name, flags in held.items() if wanted - flags}
        found = "; ".join(f"{name}: no {', '.join(flags)}" for name, flags in lacking.items())
        remedy = "look at c.JupyterHub.tornado_settings, cookie_options"
        if lacking:
            return Check("warning", "the session's cookies", found, remedy)
        return Check(
            "ok", "the session's cookies", f"{', '.join(held)}: {', '.join(sorted(wanted))}"
        )

    def _kernel(self, session: HubSession, account: Account) -> Check:
        answer = json.loads(session.execute(QUESTION))
        holds = answer["user"] == account.name and answer["answer"] == 42
        found = f"I am {answer['user']} (uid {answer['uid']}), 6*7 is {answer['answer']}"
        remedy = "look at c.JupyterHub.spawner_class, and at 30-sudospawner"
        return Check.that(holds, "a kernel computes as that user", found, remedy)

    def _pages(self, session: HubSession) -> Iterator[Check]:
        pages = {"/hub/customize": self.has_handler, "/services/customize/": self.has_service}
        for path in (path for path, wanted in pages.items() if wanted):
            page = session.page(path.rstrip("/"))  # as people type it
            holds = page.ok and self.customize_title in html.unescape(page.text)
            found = f"{page.status_code} {self.customize_title}" if holds else str(page.status_code)
            yield Check.that(holds, f"the page {path}", found, "read the hub's log")

    def _forget(self) -> None:
        """Have the hub forget the probe, with a token that is good for this and no more."""
        if self._is_known():
            self._api().delete(f"/users/{MEMBER}")

    def _nothing_left(self) -> Iterator[Check]:
        if self.authenticator != "pam":
            return
        traces: dict[str, Callable[[], bool]] = {
            "account": lambda: facts.user_exists(MEMBER),
            "group": lambda: facts.group_exists(MEMBER),
            "home": lambda: Path("/home", MEMBER).exists(),
            "record in the hub": self._is_known,
        }
        left = [name for name, is_there in traces.items() if is_there()]
        found = ", ".join(left) or "no account, group, home or record in the hub"
        remedy = "run 80-verify again: it removes what is left"
        yield Check.that(not left, f"nothing is left of {MEMBER}", found, remedy)

    def _api(self) -> ServiceClient:
        """The hub's API with a token that is good for the probe's own record and no more."""
        token = secrets.found(safe_files.text(self.tokens / VERIFIER).strip())
        return ServiceClient(self.local_url, token, self.verify_tls)

    def _is_known(self) -> bool:
        try:
            self._api().get(f"/users/{MEMBER}")
        except HubError as error:
            if "404" in error.message:
                return False
            raise
        return True
