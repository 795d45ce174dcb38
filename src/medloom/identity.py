"""Content hashes: of settings, files, and models."""

import hashlib
import json
from pathlib import Path
from typing import Any

_VOLATILE = {"_name_or_path", "transformers_version", "__version__", "torch_dtype", "dtype"}
_MODEL_JSON = (
    "modules.json",
    "config.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
)


def digest(value: Any) -> str:  # noqa: ANN401
    """SHA-256 (hex) of a JSON value, whatever the order of its keys; half surrogates may be in it."""
    whole = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def text_hash(text: str, size: int = 12) -> bytes:
    """BLAKE2b of a text, half surrogates included: for draws and splits that are the same in every process.

    Args:
        text: What to hash.
        size: Bytes of the hash.
    """
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def model_digest(folder: Path) -> str:
    """What a model *is*: SHA-256 over its weights, tokenizer, pooling and prompts.

    Files that do not change an embedding (the card, version stamps inside the configs) are left out, so that the same
    model saved by two library versions keeps its identity.

    Args:
        folder: A SentenceTransformer folder.

    Raises:
        FileNotFoundError: The folder holds no safetensors weights.
    """
    names = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    weights = [p for p in names if p.suffix == ".safetensors"]
    if not weights:
        raise FileNotFoundError(f"no safetensors weights below {folder}")
    parts = {p.relative_to(folder).as_posix(): file_digest(p) for p in weights}
    for path in names:
        if path.name not in _MODEL_JSON:
            continue
        key = path.relative_to(folder).as_posix()
        parts[key] = digest(_stable(json.loads(path.read_text("utf-8")))) if path.suffix == ".json" else file_digest(path)
    return digest(parts)


def _stable(value: Any) -> Any:  # noqa: ANN401
    """The value without the fields that name versions and paths rather than behaviour."""
    if isinstance(value, dict):
        return {k: _stable(v) for k, v in value.items() if k not in _VOLATILE}
    if isinstance(value, list):
        return [_stable(v) for v in value]
    return value
