"""The built page, all from this machine: index.html at /, what it loads under /assets (named by content), /page."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles

_PACKAGE = Path(__file__).parent.parent


def find_dist() -> Path:
    """Where the page is: in the installed package, or in the checkout."""
    installed = _PACKAGE / "web_dist"
    return installed if installed.is_dir() else _PACKAGE.parent / "web" / "dist"


def install(app: FastAPI, dist: Path) -> None:
    @app.get("/", include_in_schema=False)
    def index() -> Response:
        if not (dist / "index.html").is_file():
            return JSONResponse({"detail": "The page is not built; `make web` builds it. The API is at /api."}, 503)
        return FileResponse(dist / "index.html")

    for folder in ("assets", "page"):
        if (dist / folder).is_dir():
            app.mount(f"/{folder}", StaticFiles(directory=dist / folder), name=folder)
