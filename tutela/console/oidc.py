"""Signing in through the operator's identity provider (OpenID Connect Core 1.0, code flow with PKCE and a nonce).

Roles come from a claim: who has none of the configured groups is not let in, whatever else the provider says.
"""

import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tutela.console.ceremonies import Ceremonies
from tutela.console.options import OidcOptions
from tutela.console.people import People, Person
from tutela.console.roles import Role, read_roles
from tutela.errors import InputError
from tutela.foundation.http import Answer, Http, HttpError, Patience
from tutela.foundation.outward import check_address

if TYPE_CHECKING:
    from joserfc.jwk import KeySetSerialization

_ALGORITHMS = ["RS256", "ES256", "PS256", "EdDSA"]
_LEEWAY_S = 60
_TIMEOUT_S = 10.0


class Oidc:
    """Sign-in through one provider. Its metadata and keys are asked for anew at every sign-in. Thread-safe."""

    def __init__(self, options: OidcOptions, people: People, ceremonies: Ceremonies, origin: str) -> None:
        self._options = options
        self._people = people
        self._ceremonies = ceremonies
        self._redirect = f"{origin}/sign-in/oidc/return"

    def start(self) -> tuple[str, str]:
        """(ceremony token, address at the provider to go to). Raises InputError when the provider does not answer."""
        state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
        with _client() as client:
            endpoint = self._metadata(client)["authorization_endpoint"]
        address = prepare_grant_uri(
            endpoint,
            self._options.client_id,
            "code",
            self._redirect,
            "openid profile email",
            state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return self._ceremonies.begin("oidc", {"state": state, "nonce": nonce, "verifier": verifier}), address

    def finish(self, token: str, state: str, code: str) -> Person:
        """Who came back from the provider. Raises InputError when anything of it is not as it must be."""
        remembered = self._ceremonies.take("oidc", token)
        if not code or not secrets.compare_digest(remembered["state"].encode(), state.encode("utf-8", "replace")):
            raise InputError("the identity provider's answer does not belong to this sign-in; start again")
        claims = self._claims(code, remembered["verifier"], remembered["nonce"])
        name = str(claims.get("name") or claims.get("preferred_username") or claims.get("email") or claims["sub"])
        return self._people.from_oidc(self._options.issuer, str(claims["sub"]), name[:128], self._roles(claims))

    def _claims(self, code: str, verifier: str, nonce: str) -> Mapping[str, object]:
        try:
            with _client() as client:
                metadata = self._metadata(client)
                keys = KeySet.import_key_set(cast("KeySetSerialization", _json(client.get(metadata["jwks_uri"]))))
                tokens = self._tokens(metadata["token_endpoint"], code, verifier)
            claims = dict(jwt.decode(tokens["id_token"], keys, algorithms=_ALGORITHMS).claims)
            CodeIDToken(
                claims,
                {},
                options={
                    "iss": {"essential": True, "value": self._options.issuer},
                    "aud": {"essential": True, "value": self._options.client_id},
                    "nonce": {"essential": True, "value": nonce},
                },
                params={"nonce": nonce, "client_id": self._options.client_id},
            ).validate(leeway=_LEEWAY_S)
        except (JoseError, HttpError, ValueError, KeyError, TypeError) as error:
            raise InputError("the identity provider's answer was not accepted; start again") from error
        return claims

    def _tokens(self, endpoint: str, code: str, verifier: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "code_verifier": verifier,
        }
        with _client().with_identity(auth=(self._options.client_id, self._options.client_secret.reveal())) as client:
            answer = client.ask("POST", endpoint, form=form)
        if answer.status != 200:
            raise HttpError("the token endpoint answers {answered}", answered=answer.status, status=answer.status)
        return _json(answer)

    def _roles(self, claims: Mapping[str, object]) -> frozenset[Role]:
        listed = claims.get(self._options.claim)
        values = [listed] if isinstance(listed, str) else listed if isinstance(listed, list) else []
        names = {role for value in values for role in self._options.roles.get(str(value), ())}
        if not names:
            raise InputError("the identity provider gives you no role in this console; ask your admin")
        return read_roles(names)

    def _metadata(self, client: Http) -> Mapping[str, str]:
        try:
            metadata = _json(client.get(f"{self._options.issuer.rstrip('/')}/.well-known/openid-configuration"))
        except (HttpError, ValueError) as error:
            raise InputError("the identity provider does not answer") from error
        if metadata.get("issuer") != self._options.issuer:
            raise InputError("the identity provider calls itself by another name than the configured issuer")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            check_address(str(metadata.get(name, "")), f"the identity provider's {name}")
        return metadata


def _client() -> Http:
    """Somebody waits before the page: one attempt, and no long one."""
    return Http(patience=Patience(timeout_s=_TIMEOUT_S, deadline_s=_TIMEOUT_S, attempts=1))


def _json(answer: Answer) -> dict[str, Any]:
    found = json.loads(answer.body)
    if not isinstance(found, dict):
        raise ValueError("the answer is not a JSON object")
    return found
