"""What tasks are put to: dense models, endpoints, late interaction, BM25."""

from pathlib import Path

from medloom.encode.cache import VectorCache
from medloom.encode.encoder import Precision, load_encoder
from medloom.encode.endpoint import OpenAIEncoder
from medloom.encode.models import resolve_model
from medloom.encode.multivector import is_multivector, load_multivector
from medloom.evaluate.systems.base import Kind, System, SystemInfo
from medloom.evaluate.systems.dense import DenseSystem
from medloom.evaluate.systems.late import LateInteractionSystem
from medloom.evaluate.systems.lexical import Bm25System
from medloom.openai_server import PREFIX

BM25 = "bm25"

__all__ = [
    "BM25",
    "Bm25System",
    "DenseSystem",
    "Kind",
    "LateInteractionSystem",
    "System",
    "SystemInfo",
    "open_system",
]


def open_system(
    name: str, precision: Precision = "auto", cache: VectorCache | None = None, shown: str | None = None
) -> System:
    """What a user calls a model, as a system.

    Args:
        name: ``bm25``, ``builtin:NAME``, ``openai:http://host:port/v1#MODEL``, or the folder or hub id of a dense or
            late-interaction model; its own settings tell which it is.
        precision: Of the arithmetic, for models that run here.
        cache: Where vectors are kept; in memory if not given.
        shown: What results call it; the name if not given.

    Raises:
        ModelError: There is no such model, it is damaged or unsafe to load, or the endpoint does not answer.
    """
    if name == BM25:
        return Bm25System()
    if name.startswith(PREFIX):
        return DenseSystem(OpenAIEncoder(name), cache, shown or name, kind="endpoint")
    ref = resolve_model(name)
    folder = Path(ref.location)
    size = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    if is_multivector(folder):
        return LateInteractionSystem(load_multivector(ref, precision), cache, shown or name, size)
    return DenseSystem(load_encoder(ref, precision), cache, shown or name, size_bytes=size)
