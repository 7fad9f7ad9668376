"""The HTTP API and the page: what a node knows, read-only, described by /openapi.json.

What always holds: nothing here changes what a node knows; what is measured is shown to its owner and the operator
alone, whom their link names; every invalid request is answered by a 4xx and one sentence in `detail`; no answer needs
anything from another machine. Start at docs/reference/http-api.md.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from wattpact.api import errors, events, page, routes, session, viewer
from wattpact.api.feed import Feed
from wattpact.api.headers import SecurityHeaders
from wattpact.membership.access_links import Access
from wattpact.node.events import Events
from wattpact.node.node import Node
from wattpact.views import Views
from wattpact.views.stored import StoredViews


def create_app(node: Node) -> FastAPI:
    """The application of a running node."""
    access = Access(node.store.path, node.clock, node.reject_access)
    views = StoredViews(node.store.path, node.clock, node.link.last_contact_s, node.readers, node.host)
    return app_of(views, access, node.events)


def app_of(views: Views, access: Access, changes: Events, dist: Path | None = None) -> FastAPI:
    """The application; live pages follow `changes`. `dist` is the built page, where it is not the installed one or the
    checkout's."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        feed.close()

    feed = Feed(views, access, changes)
    app = FastAPI(
        title="Wattpact node",
        version=version("wattpact"),
        summary="Who produces and consumes, under which contracts, and what it costs. Read-only.",
        description="Integers only: energy in Wh, power in W, time in Unix seconds, prices in millionths of the "
        "currency per kWh, amounts in thousand-millionths of the currency. Keys and ids are hexadecimal.",
        docs_url=None,  # the interactive pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    app.state.views = views
    app.state.access = access
    app.state.feed = feed
    app.include_router(routes.router)
    app.include_router(session.router)
    app.include_router(events.router)
    errors.install(app)
    page.install(app, dist or page.find_dist())
    app.add_middleware(SecurityHeaders)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    """The description, with what FastAPI cannot derive: that a code may be sent, and need not be."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title, version=app.version, summary=app.summary, description=app.description,
            routes=app.routes, license_info=app.license_info,
        )  # fmt: skip
        found["components"]["securitySchemes"] = viewer.SCHEMES
        found["security"] = viewer.SECURITY
        app.openapi_schema = found
    return app.openapi_schema
