"""How routes read and write JSON."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from medloom.serve.errors import ApiError

_MOST_FIELDS = 256
_MOST_OPENED = 100_000


class JsonRequest(Request):
    """A request whose JSON is strict: no lone surrogates, no NaN, no more than 1,024 levels."""

    async def json(self) -> Any:  # noqa: ANN401
        """The body, parsed.

        Raises:
            json.JSONDecodeError: It is no strict JSON.
            RequestValidationError: It has more fields than any route knows; each would be an error of its own.
        """
        value = orjson.loads(await self.body())
        if isinstance(value, dict) and len(value) > _MOST_FIELDS:
            raise RequestValidationError([{"type": "extra_forbidden", "loc": ("body",), "msg": "", "input": None}])
        return value


class JsonRoute(APIRoute):
    """A route whose body is read by :class:`JsonRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with the request in its stricter form."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            read = JsonRequest(request.scope, request.receive)
            _check_opened(await read.body())
            return await handle(read)

        return strict


def _check_opened(body: bytes) -> None:
    """Refuse what would keep the event loop from all else while it is read.

    Raises:
        ApiError: The body opens too many lists and objects.
    """
    if body.count(b"[") + body.count(b"{") > _MOST_OPENED:
        raise ApiError(
            400, f"the body opens more than {_MOST_OPENED:,} lists and objects: send fewer at once", code="too_many_items"
        )


def json_router() -> APIRouter:
    """A router for :func:`~medloom.serve.app.create_app`."""
    return APIRouter(route_class=JsonRoute)


def json_answer(content: object, headers: dict[str, str] | None = None) -> Response:
    """An answer of dataclasses, NumPy arrays and what JSON knows; arrays must be contiguous."""
    return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), 200, headers, "application/json")
