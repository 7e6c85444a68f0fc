"""Who asks a REST API: as httpx sends it with each request."""

import time
from collections.abc import Generator

import httpx

from staged_assets.errors import SourceError
from staged_assets.sources.rest_settings import ApiKeyAuth, Auth, BasicAuth, BearerAuth, OAuth2Auth

#: seconds before its end at which a token is replaced
_EARLY = 30.0


def authentication(system: str, auth: Auth | None) -> httpx.Auth | None:
    """What httpx is to do; None where nothing is said."""
    match auth:
        case BearerAuth():
            return _Header("Authorization", f"Bearer {auth.token}")
        case ApiKeyAuth():
            return _Header(auth.header, auth.key)
        case BasicAuth():
            return httpx.BasicAuth(auth.username, auth.password)
        case OAuth2Auth():
            return _ClientCredentials(system, auth)
    return None


class _Header(httpx.Auth):
    def __init__(self, name: str, value: str) -> None:
        self._name, self._value = name, value

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers[self._name] = self._value
        yield request


class _ClientCredentials(httpx.Auth):
    """A token until it expires, or is refused once.

    Raises:
        SourceError: the token's server refuses.
        httpx.TransportError: it is busy or failing: asking again can help.
    """

    requires_response_body = True

    def __init__(self, system: str, settings: OAuth2Auth) -> None:
        self._system, self._settings = system, settings
        self._token: str | None = None
        self._ends = 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._token is None or time.monotonic() >= self._ends:
            self._keep((yield self._asking()))
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code == 401:
            self._keep((yield self._asking()))
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _asking(self) -> httpx.Request:
        scope = {"scope": self._settings.scope} if self._settings.scope is not None else {}
        basic = httpx.BasicAuth(self._settings.client_id, self._settings.client_secret)
        request = httpx.Request("POST", self._settings.token_url, data={"grant_type": "client_credentials", **scope})
        return next(basic.auth_flow(request))

    def _keep(self, response: httpx.Response) -> None:
        if response.status_code >= 500 or response.status_code in (408, 425, 429):
            raise httpx.TransportError(f"{self._settings.token_url} answered {response.status_code}")
        try:
            answer = response.json()
            self._token = str(answer["access_token"])
            self._ends = time.monotonic() + float(answer.get("expires_in") or 3600) - _EARLY
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceError(
                f"{self._system}: {self._settings.token_url} gave no token ({response.status_code}"
                f" {response.reason_phrase}): see client_id, client_secret and scope in connection.auth."
            ) from error
