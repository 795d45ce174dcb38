"""What another process needs to load the same encoder."""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import cast

from medloom.encode.cores import THREADS, usable_cores
from medloom.encode.encoder import Arithmetic, Backend, Encoder, load_encoder
from medloom.encode.models import BUILTIN
from medloom.engine import Engine, LocalEngine
from medloom.errors import ModelError

_LOADED = 3


@dataclass(frozen=True)
class EncoderSpec:
    """A model and how it is computed, in words that another process understands.

    Attributes:
        model: ``builtin:NAME``, the absolute path of a folder, or a hub id.
        hash: Content hash of the encoder.
        precision: Of the arithmetic.
        backend: What computes.
        threads: To compute with; what the process is given if None.
    """

    model: str
    hash: str
    precision: Arithmetic
    backend: Backend
    threads: int | None = None

    def open(self) -> Encoder:
        """The encoder, loaded once in a process.

        Raises:
            ModelError: The model is not there, or is another one.
        """
        return _opened(self)


def spec_of(encoder: Encoder, model: str, engine: Engine, folder: Path | None = None) -> EncoderSpec:
    """What the workers of an engine need to load an encoder that is loaded here.

    Args:
        encoder: It.
        model: As the user named it.
        engine: Whose workers; processes of this machine share its cores out among them.
        folder: What a relative path is relative to; the working directory if not given.
    """
    path = (folder or Path()) / Path(model).expanduser()
    name = str(path.resolve()) if not model.startswith(BUILTIN) and path.is_dir() else model
    threads = max(1, usable_cores() // engine.workers) if isinstance(engine, LocalEngine) else None
    backend = cast("Backend", str(getattr(encoder, "backend", "torch")))
    return EncoderSpec(name, encoder.hash, cast("Arithmetic", str(getattr(encoder, "precision", "fp32"))), backend, threads)


@lru_cache(maxsize=_LOADED)
def _opened(spec: EncoderSpec) -> Encoder:
    if spec.threads is not None:
        os.environ[THREADS] = str(spec.threads)
    encoder = load_encoder(spec.model, spec.precision, spec.backend)
    if encoder.hash != spec.hash:
        raise ModelError(
            f"model {spec.model} is another one where a worker runs: name a folder that every machine has as its own"
        )
    return encoder
