"""Cross-encoders: two texts read together, one score out; slower than vectors and a better judge."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from medloom.encode.models import ModelRef, hub_model, local_model, refuse_pickles, refuse_random_weights
from medloom.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

Floats = npt.NDArray[np.float32]

_HEAD = "ForSequenceClassification"
_WANTED = ("README.md", "*.json", "*.safetensors", "*.txt", "*.model", "1_*/*", "2_*/*")
_BATCH = 32


def resolve_cross_encoder(name: str, folder: Path | None = None) -> ModelRef:
    """Find a cross-encoder and check that it is safe to load.

    Args:
        name: A folder, or a hub id.
        folder: What a relative path is relative to; the working directory if not given.

    Raises:
        ModelError: It is not there, is no cross-encoder, or has no safetensors weights.
    """
    path = (folder or Path()) / Path(name).expanduser()
    if path.is_dir():
        return local_model(name, path, _refuse_others)
    if path.exists() or name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise ModelError(f"no cross-encoder {name}: give a folder or a hub id (org/name)")
    return hub_model(name, _WANTED, _refuse_others)


def load_cross_encoder(model: str | Path | ModelRef) -> "CrossScorer":
    """Load a cross-encoder on the best device, from safetensors only, without code of its own.

    Args:
        model: A folder, a hub id, or a resolved reference.

    Raises:
        ModelError: The model is missing, damaged, unsafe to load, or does not give one score for two texts.
    """
    from safetensors import SafetensorError
    from sentence_transformers import CrossEncoder

    ref = model if isinstance(model, ModelRef) else resolve_cross_encoder(str(model))
    refuse_pickles(ref)
    try:
        network = CrossEncoder(
            ref.location, trust_remote_code=False, local_files_only=True, model_kwargs={"use_safetensors": True}
        )
        scores = CrossScorer(network, ref.hash)([("a", "b")]) if network.num_labels == 1 else None
    except SafetensorError as error:
        raise ModelError(f"model {ref.name}: its weights are damaged ({error}): fetch it again") from error
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise ModelError(
            f"model {ref.name} does not load as a cross-encoder ({type(error).__name__}: {reason}): give the folder or hub "
            "id of one whose weights are safetensors"
        ) from error
    refuse_random_weights(ref, cast(Any, network))
    if scores is None or not np.isfinite(scores).all():
        raise ModelError(
            f"model {ref.name} gives {network.num_labels} numbers for two texts, or none: give a cross-encoder with one "
            "score, such as one trained to rerank search results"
        )
    return CrossScorer(network, ref.hash)


class CrossScorer:
    """A CrossEncoder that scores pairs from 0 to 1, whatever its settings make of the logit.

    Args:
        model: The model, with one label.
        model_hash: Its content hash.
    """

    def __init__(self, model: "CrossEncoder", model_hash: str) -> None:
        self.model = model.eval()
        self.hash = model_hash

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> Floats:
        """Score pairs of query and text; equal pairs once, in batches of like length.

        Returns:
            float32, shape (n,): the logistic function of the model's logit.
        """
        from torch import nn

        rows: dict[tuple[str, str], int] = {}
        inverse = np.fromiter((rows.setdefault(pair, len(rows)) for pair in pairs), dtype=np.int64, count=len(pairs))
        if not rows:
            return np.empty(0, dtype=np.float32)
        scores = self.model.predict(list(rows), batch_size=_BATCH, activation_fn=nn.Sigmoid(), show_progress_bar=False)
        return np.asarray(scores, dtype=np.float32).reshape(-1)[inverse]


def _refuse_others(name: str, path: Path) -> None:
    """A plain encoder would load too, with a head of random numbers."""
    told = _settings(path / "config_sentence_transformers.json").get("model_type")
    architectures = [str(a) for a in _settings(path / "config.json").get("architectures") or []]
    if told == "CrossEncoder" or (told is None and any(a.endswith(_HEAD) for a in architectures)):
        return
    raise ModelError(
        f"model {name} is not a cross-encoder ({told or ', '.join(architectures) or 'its settings name no kind'}): give one "
        "with a head that scores pairs"
    )


def _settings(path: Path) -> dict[str, Any]:
    """A settings file; nothing where there is none, or it holds no settings."""
    value = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return value if isinstance(value, dict) else {}
