"""Late interaction: a text in, a vector for each of its tokens out (ColBERT, Khattab and Zaharia 2020)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import numpy.typing as npt

from medloom.encode.encoder import Precision, Role, resolve_precision
from medloom.encode.models import ModelRef, refuse_pickles, refuse_random_weights, resolve_model
from medloom.errors import ModelError
from medloom.identity import digest, file_digest

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder

Halves = npt.NDArray[np.float16]

_TYPES = ("MultiVectorEncoder", "ColBERT")
_STANFORD = "HF_ColBERT"
_STANFORD_SETTINGS = "artifact.metadata"
_BATCH = 32
_TEXTS_AT_ONCE = 128


def is_multivector(folder: Path) -> bool:
    """Whether a folder holds a late-interaction model rather than a dense one.

    Its ``config_sentence_transformers.json`` says so (sentence-transformers, PyLate), a module of ``modules.json`` is one
    of late interaction, or ``config.json`` names Stanford's architecture. What cannot be read says nothing.
    """
    settings = _read(folder / "config_sentence_transformers.json")
    if settings.get("model_type"):
        return settings["model_type"] in _TYPES
    modules = _read(folder / "modules.json").get("", [])
    if any("multi_vector" in str(m.get("type")) or "pylate" in str(m.get("type")) for m in modules):
        return True
    return _STANFORD in (_read(folder / "config.json").get("architectures") or [])


def load_multivector(
    model: str | Path | ModelRef, precision: Precision = "fp32", pool_factor: float = 1.0
) -> "TokenEncoder":
    """Load a late-interaction model from safetensors, without code of its own.

    Args:
        model: A folder, a hub id, or a resolved reference.
        precision: Of the arithmetic; ``auto`` takes bf16 where the processor computes in it, else fp32.
        pool_factor: How many tokens of a document become one vector, about; 1 for no pooling but the model's own.

    Raises:
        ModelError: The model is missing, damaged, unsafe to load, or gives no vector for each token.
    """
    from safetensors import SafetensorError
    from sentence_transformers import MultiVectorEncoder

    ref = model if isinstance(model, ModelRef) else resolve_model(str(model))
    folder = Path(ref.location)
    _refuse_unsafe(ref, folder)
    try:
        network = MultiVectorEncoder(ref.location, local_files_only=True, model_kwargs={"use_safetensors": True})
        vectors = network.encode_document(["a"], convert_to_numpy=True, show_progress_bar=False)[0]
    except SafetensorError as error:
        raise ModelError(f"model {ref.name}: its weights are damaged ({error}): fetch it again") from error
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise ModelError(
            f"model {ref.name} does not load as a late-interaction model ({type(error).__name__}: {reason}): give the "
            "folder or hub id of one that sentence-transformers or PyLate saved with safetensors weights"
        ) from error
    refuse_random_weights(ref, cast(Any, network))
    if vectors.ndim != 2:
        raise ModelError(f"model {ref.name} does not give a vector for each token: give a late-interaction model")
    extra = folder / _STANFORD_SETTINGS
    model_hash = digest([ref.hash, file_digest(extra)]) if extra.is_file() else ref.hash
    return TokenEncoder(network, model_hash, precision, pool_factor)


class TokenEncoder:
    """A MultiVectorEncoder that gives float16 token vectors.

    Args:
        model: The model.
        model_hash: Its content hash.
        precision: Of the arithmetic.
        pool_factor: How many tokens of a document become one vector, about: those that are alike are clustered and replaced
            by their mean (hierarchical token pooling, Clavié et al. 2024). 1 for no pooling but the model's own.
    """

    def __init__(
        self, model: "MultiVectorEncoder", model_hash: str, precision: Precision = "fp32", pool_factor: float = 1.0
    ) -> None:
        self.model = model.eval()
        self.hash = model_hash
        self.precision: Literal["fp32", "bf16"] = resolve_precision(precision)
        self.pool_factor = pool_factor

    @property
    def dimensions(self) -> int:
        """Length of a token's vector."""
        return int(self.model.get_embedding_dimension() or 0)

    @property
    def max_length(self) -> dict[str, int | None]:
        """Tokens that are read of a query and of a document."""
        first: Any = self.model[0]
        longest = self.model.max_seq_length
        expansion = getattr(first, "query_expansion", None) or {}
        fixed = expansion["length"] if expansion.get("strategy") == "fixed" else None
        return {
            "query": fixed or getattr(first, "query_length", None) or longest,
            "document": getattr(first, "document_length", None) or longest,
        }

    def prompt_for(self, role: Role) -> str | None:
        """What the model's own settings put before every query or document, or None."""
        names = ("query",) if role == "query" else ("document", "passage", "corpus")
        return next((self.model.prompts[name] or None for name in names if name in self.model.prompts), None)

    def encode(self, texts: Sequence[str], role: Role) -> list[Halves]:
        """Token vectors of the texts, each float16 of shape (tokens, d); some models leave no token of some texts.

        Args:
            texts: What to encode.
            role: A query may be padded with tokens that the model fills; of a document punctuation may be left out.
        """
        import torch
        from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling

        encode = self.model.encode_query if role == "query" else self.model.encode_document
        pooling = HierarchicalTokenPooling(self.pool_factor) if self.pool_factor > 1 else None
        vectors: list[Halves] = []
        with torch.autocast(self.model.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"):
            for i in range(0, len(texts), _TEXTS_AT_ONCE):
                part = list(texts[i : i + _TEXTS_AT_ONCE])
                found = encode(
                    part, batch_size=_BATCH, convert_to_numpy=True, show_progress_bar=False, token_pooling=pooling
                )
                vectors.extend(one.astype(np.float16) for one in found)
        return vectors


def _refuse_unsafe(ref: ModelRef, folder: Path) -> None:
    """Refuse what is no late-interaction model, and one of whose modules has pickled weights or none."""
    if not is_multivector(folder):
        raise ModelError(f"model {ref.name} is not a late-interaction model: its settings name no such type")
    refuse_pickles(ref)
    stanford = _STANFORD in (_read(folder / "config.json").get("architectures") or [])
    if stanford and not (folder / _STANFORD_SETTINGS).is_file():
        raise ModelError(
            f"model {ref.name}: the folder lacks {_STANFORD_SETTINGS}, which says how long queries are and how they are "
            "marked: fetch the whole model"
        )


def _read(path: Path) -> dict[str, Any]:
    """A settings file; a list under the empty key; nothing if it cannot be read."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {"": value}
