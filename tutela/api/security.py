"""Who may do what: bearer keys with scopes, a rate limit a key, and a brake on guessing."""

from typing import Any

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.concurrency import run_in_threadpool

from tutela.api.keys import ApiKey, Keys, Scope
from tutela.api.problems import Problem
from tutela.foundation.rates import Rate, Windows

_GUESSES = Rate.read("20/minute")
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="tutela"'}


class Gate:
    """Checks every request's key. Limits are counted a process: `rate` is this process's share."""

    def __init__(self, keys: Keys, *, rate: str, required: bool) -> None:
        """`rate` as in "1000/second"; `required` is False only on a loopback address, by the operator's wish."""
        self.keys = keys
        self._rate = Rate.read(rate)
        self._required = required
        self._windows = Windows()

    async def admit(self, request: Request, scope: Scope) -> ApiKey | None:
        """The request's key, once it may do this. Raises Problem: 401, 403, 429."""
        if not self._required:
            return None
        address = request.client.host if request.client else "unknown"
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text:
            raise Problem(401, "key-needed", "send the header Authorization: Bearer KEY", _CHALLENGE)
        key = self.keys.cached(text.strip()) or await run_in_threadpool(self.keys.verify, text.strip())
        if key is None:
            # Right keys from the address still pass: behind a proxy it may be everybody's.
            if not self._windows.hit(_GUESSES, "guess", address):
                raise Problem(429, "too-many-attempts", "too many wrong keys from this address", {"Retry-After": "60"})
            raise Problem(401, "key-unknown", "the key is unknown, expired or revoked", _CHALLENGE)
        request.scope["tutela.key"] = key.id
        request.scope["tutela.scopes"] = key.scopes
        if not key.may(scope):
            raise Problem(403, "scope-missing", f"the key lacks the scope {scope.value!r}")
        if not self._windows.hit(self._rate, "key", key.id):
            raise Problem(429, "rate-limited", "this key asks more often than it may", {"Retry-After": "1"})
        return key


class KeyAdmission(SecurityBase):
    """A dependency that admits keys of a scope and gives the actor's name for the history."""

    model = HTTPBearer()
    scheme_name = "key"

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> str:
        key = await self.key(request)
        return key.actor if key else "anonymous"

    async def key(self, request: Request) -> ApiKey | None:
        """The request's key; None where none is needed."""
        gate: Gate = request.app.state.gate
        return await gate.admit(request, self.scope)


def needs(scope: Scope) -> Any:
    """The actor's name, from keys of a scope; the OpenAPI document says which."""
    return Security(KeyAdmission(scope), scopes=[scope.value])


def has(request: Request, scope: Scope) -> bool:
    """Whether an admitted request's key has a further scope: what is told may depend on it."""
    scopes = request.scope.get("tutela.scopes")
    return scopes is None or not scopes.isdisjoint((scope, Scope.ADMIN))
