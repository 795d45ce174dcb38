"""What can go wrong over HTTP, in the shape that OpenAI's clients read.

No message ever holds what a client sent: it may be about a patient.
"""

import logging
import re
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from medloom.errors import MedloomError

_LOG = logging.getLogger("medloom.serve")
_PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_MESSAGES = {
    401: "no valid API key: send one as Authorization: Bearer KEY",
    404: "no such path: /openapi.json lists those there are",
    405: "this path does not take this method: /openapi.json says which it takes",
}
_ECHOING = ("union_tag_invalid",)


class ServeError(MedloomError):
    """The server cannot start as it was told to."""


class ApiError(Exception):
    """A request that is answered with an error.

    Args:
        status: HTTP status.
        message: What is wrong and what to do; nothing of what the client sent.
        param: The field that is wrong.
        code: A word for programs.
        retry_after: Seconds after which to try again.
    """

    def __init__(
        self, status: int, message: str, param: str | None = None, code: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.retry_after = retry_after

    def response(self) -> Response:
        """The answer."""
        kind = (
            "server_error" if self.status >= 500 else "rate_limit_error" if self.status == 429 else "invalid_request_error"
        )
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        headers = {"retry-after": str(self.retry_after)} if self.retry_after is not None else {}
        if self.status == 401:
            headers["www-authenticate"] = "Bearer"
        return Response(orjson.dumps({"error": error}), self.status, headers, "application/json")


class ErrorDetail(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(BaseModel):
    """Every error, in OpenAI's shape."""

    error: ErrorDetail


ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorAnswer, "description": "The request cannot be answered as it is."},
    "5XX": {"model": ErrorAnswer, "description": "The server cannot answer now."},
}
"""For ``responses=`` of a route."""


def answers(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """For ``responses=`` of a route that writes its JSON itself."""
    return {200: {"model": model}, **ERRORS}


def answer_errors(app: FastAPI) -> None:
    """Give every error of an application the one shape."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)


def internal_error(error: Exception, request_id: str) -> ApiError:
    """Log where an unforeseen error came from, without its message, and say that it happened."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames[-6:]))
    _LOG.error("request %s failed: %s at %s", request_id, type(error).__name__, where)
    return ApiError(500, f"the server failed at this request: its log says where under {request_id}", code="internal_error")


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error.response()


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = _MESSAGES.get(error.status_code, "the request cannot be answered as it is")
    answer = ApiError(error.status_code, message).response()
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return describe(error.errors()).response()


def describe(errors: Sequence[Mapping[str, Any]]) -> ApiError:
    """The first of pydantic's errors, without the input.

    Args:
        errors: What ``errors()`` gives.
    """
    first = errors[0]
    kind = str(first["type"])
    place = list(first["loc"])
    place = place[1:] if place and place[0] in ("body", "query", "path") else place
    if kind == "json_invalid":
        return ApiError(
            400, "the body is not valid JSON: send UTF-8 without lone surrogates, not nested too deep", code=kind
        )
    if kind == "extra_forbidden":
        return ApiError(400, "there is a field that this path does not know: /openapi.json lists them", code="unknown_field")
    param = ".".join(str(part) for part in place if isinstance(part, int) or _PLAIN_NAME.fullmatch(str(part))) or None
    said = "is not as it should be" if kind in _ECHOING else str(first["msg"]).removeprefix("Value error, ")
    if not place:
        said = "send a JSON object as application/json"
    return ApiError(400, f"{param}: {said}" if param else said, param, kind)
