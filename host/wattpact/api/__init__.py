"""The HTTP API and the page: what a node knows, read-only, described by /openapi.json.

What always holds: nothing here changes what a node knows, and what is measured is shown to its owner and the operator
alone, whom their link names; every question that makes no sense is answered by a 4xx and one
sentence in `detail`; no answer needs anything from another machine. docs/reference/http-api.md is the way in.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from wattpact.api import asker, events, page, questions, refusals, session
from wattpact.api.headers import SecurityHeaders
from wattpact.membership.access_links import Access
from wattpact.node.node import Node
from wattpact.views import Views
from wattpact.views.stored import StoredViews


def create_app(node: Node) -> FastAPI:
    """The application of a running node."""
    access = Access(node.store.path, node.clock, node.refused_access)
    return app_of(StoredViews(node.store.path, node.clock, node.link.seen_s, node.readers), access)


def app_of(views: Views, access: Access, dist: Path | None = None) -> FastAPI:
    """The application; `dist` is the built page, where it is not the installed one or the checkout's."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        feed.close()

    feed = events.Feed(views, access)
    app = FastAPI(
        title="Wattpact node",
        version=version("wattpact"),
        summary="Who produces and consumes, under which contracts, and what it comes to. Read-only.",
        description="Integers only: energy in Wh, power in W, time in Unix seconds, prices in millionths of the "
        "currency per kWh, amounts in billionths of the currency. Keys and ids are hexadecimal.",
        docs_url=None,  # the interactive pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    app.state.views = views
    app.state.access = access
    app.state.feed = feed
    app.include_router(questions.router)
    app.include_router(session.router)
    app.include_router(events.router)
    refusals.install(app)
    page.install(app, dist or page.find_dist())
    app.add_middleware(SecurityHeaders)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    """The description, with what FastAPI does not know: that a code may be sent and need not be."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title, version=app.version, summary=app.summary, description=app.description,
            routes=app.routes, license_info=app.license_info,
        )  # fmt: skip
        found["components"]["securitySchemes"] = asker.SCHEMES
        found["security"] = asker.SECURITY
        app.openapi_schema = found
    return app.openapi_schema
