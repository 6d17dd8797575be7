"""The web page that follows a scan: what it serves, and what it takes from whom."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..agent import Message
from ..plans import me
from ..storage import bears_token, post
from .page import TOKENS
from .studio import Studio

LARGEST = 4096
"""Bytes that a request's body may have."""
PATIENCE = 60.0
"""Seconds that a message waits for the scan: an exposure or a decision may be under way."""
KINDS = ("pause", "resume", "stop", "approve")
HERE = ("127.0.0.1", "localhost")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Endpoint = Callable[[Request], Awaitable[Response]]


class MonitorPage:
    """What the page's requests are answered with.

    Parameters
    ----------
    folder : Path
        The data folder.
    studio : Studio
        What draws.
    key : str
        What a page must bear to tell the scan something. A page that this command opens has it;
        another gets it for the token of the scan that runs.
    """

    def __init__(self, folder: Path, studio: Studio, key: str) -> None:
        self._folder, self._studio, self._key = folder, studio, key
        self._html = _part("monitor.html")

    def app(self) -> Starlette:
        """The page as an ASGI application."""
        style = TOKENS + _part("monitor.css")
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/open", self._open, methods=["POST"]),
                Route("/monitor.css", _static(style, "text/css")),
                Route("/monitor.js", _static(_part("monitor.js"), "text/javascript")),
                Route("/state", self._state),
                Route("/image/{drawn:int}/{number:int}.png", self._image),
                Route("/unlock", self._unlock, methods=["POST"]),
                Route("/tell", self._tell, methods=["POST"]),
            ],
            # names that others may give to this address (DNS rebinding) are not served
            middleware=[
                Middleware(WithHeaders),
                Middleware(TrustedHostMiddleware, allowed_hosts=list(HERE), www_redirect=False),
            ],
            exception_handlers={HTTPException: _refusal},
        )

    async def _page(self, _: Request) -> Response:
        return Response(self._html.replace("{key}", ""), media_type="text/html")

    async def _open(self, request: Request) -> Response:
        """The page with its key, for the file that this command has the browser open."""
        form = parse_qs((await _body(request)).decode("utf-8", "replace"))
        self._check_key(form.get("key", [""])[0])
        return Response(self._html.replace("{key}", self._key), media_type="text/html")

    async def _state(self, request: Request) -> Response:
        shown = request.query_params.get("shown", "")
        snapshot = self._studio.ask(int(shown) if shown.isdecimal() and len(shown) < 10 else 0)
        images = [
            {"title": each.title, "alt": each.alt, "width": each.width, "height": each.height}
            for each in snapshot.images
        ]
        return JSONResponse({**snapshot.state, "drawn": snapshot.drawn, "images": images})

    async def _image(self, request: Request) -> Response:
        snapshot = self._studio.snapshot
        number = request.path_params["number"]
        if request.path_params["drawn"] != snapshot.drawn or number >= len(snapshot.images):
            raise HTTPException(404, "there is a newer drawing")
        return Response(snapshot.images[number].png, media_type="image/png")

    async def _unlock(self, request: Request) -> Response:
        """The key, for whoever can read the token of the scan that runs."""
        token = (await _message(request)).get("token")
        try:
            known = isinstance(token, str) and bears_token(self._folder, token)
        except FileNotFoundError as error:
            raise HTTPException(409, str(error)) from error
        if not known:
            raise HTTPException(403, "this is not the token of the scan that runs")
        return JSONResponse({"key": self._key})

    async def _tell(self, request: Request) -> Response:
        """Put a message into the scan's mailbox, and wait for what the scan says to it."""
        said = await _message(request)
        self._check_key(request.headers.get("authorization", "").removeprefix("Bearer "))
        if said.get("kind") not in KINDS:
            raise HTTPException(400, f"the page says {', '.join(KINDS)}, and nothing else")
        try:
            message = Message.from_json({**said, "by": me()}).to_json()
            answer = await to_thread.run_sync(
                partial(post, self._folder, message, PATIENCE), abandon_on_cancel=True
            )
        except (ValueError, OSError) as error:
            raise HTTPException(409, str(error)) from error
        if not answer.taken:
            raise HTTPException(409, f"the scan refuses: {answer.why}")
        return JSONResponse({"taken": message["kind"]})

    def _check_key(self, key: str) -> None:
        if not hmac.compare_digest(key.encode(), self._key.encode()):
            raise HTTPException(403, "this page may look, and tell nothing: unlock it first")


class WithHeaders:
    """Adds the headers that keep a page to itself to whatever is answered."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def with_headers(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                extra = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        await self._app(scope, receive, with_headers)


async def _message(request: Request) -> Mapping[str, Any]:
    """A JSON object that this page has sent, and no other page."""
    if request.headers.get("origin") != f"http://{request.headers['host']}":
        raise HTTPException(403, "this request does not come from the monitor's own page")
    if request.headers.get("content-type") != "application/json":
        raise HTTPException(415, "a message is JSON")
    try:
        said = json.loads(await _body(request))
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "a message is one JSON object") from error
    if not isinstance(said, dict):
        raise HTTPException(400, "a message is one JSON object")
    return said


async def _body(request: Request) -> bytes:
    """A request's body, of bounded length."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise HTTPException(413, f"a message has at most {LARGEST} bytes")
    return body


async def _refusal(_: Request, error: Exception) -> Response:
    status, why = getattr(error, "status_code", 500), getattr(error, "detail", "")
    return JSONResponse({"why": why}, status)


def _part(name: str) -> str:
    return (files("skysteer.views") / name).read_text(encoding="utf-8")


def _static(text: str, kind: str) -> Endpoint:
    async def give(_: Request) -> Response:
        return Response(text, media_type=kind)

    return give
