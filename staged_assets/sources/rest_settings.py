"""The types of `sources.yaml` that say how a REST API pages its lists and who may read them."""

from typing import Annotated, Literal

from pydantic import Field

from staged_assets.sources.strict import Name, Strict


class Paging(Strict):
    """How a list is asked for page by page.

    Attributes:
        style: `page`: by number; `offset`: by how many records come before; `cursor`: by what the page before says;
            `link`: by the address that the page before gives. `auto`: by number, as long as the page says that there
            is another one, or by its link.
        param: query parameter of the number, offset or cursor.
        size_param: query parameter of the records asked for at once; null where the API knows none.
        first: number of the first page.
        next: dotted path, in a page, of the cursor or link of the next one; a `Link` header goes before it.
    """

    style: Literal["auto", "page", "offset", "cursor", "link"] = "auto"
    param: Name | None = None
    size_param: Name | None = "page_size"
    first: int = 1
    next: Name = "next"

    @property
    def parameter(self) -> str:
        """`param`, or what it is called most often."""
        return self.param or {"auto": "page", "link": "page"}.get(self.style, self.style)


class BearerAuth(Strict):
    """A token in the header `Authorization`."""

    type: Literal["bearer"]
    token: Name


class ApiKeyAuth(Strict):
    """A key in a header of any name."""

    type: Literal["api_key"]
    header: Name = "X-Api-Key"
    key: Name


class BasicAuth(Strict):
    """User name and password."""

    type: Literal["basic"]
    username: Name
    password: Name


class OAuth2Auth(Strict):
    """OAuth 2 client credentials: a token is fetched, and fetched again when it has expired."""

    type: Literal["oauth2"]
    token_url: Name
    client_id: Name
    client_secret: Name
    scope: Name | None = None


Auth = Annotated[BearerAuth | ApiKeyAuth | BasicAuth | OAuth2Auth, Field(discriminator="type")]
