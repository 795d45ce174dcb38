"""The models that are averaged, and whether they can be."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medloom.encode.models import ModelRef, refuse_pickles, resolve_model
from medloom.errors import ModelError
from medloom.identity import digest
from medloom.merge.tensors import Stored, stored_tensors

MODULES, SETTINGS = "modules.json", "config_sentence_transformers.json"
_PLAIN = [{"path": "", "type": "Transformer"}]
_NO_ARCHITECTURE = {
    *("architectures", "transformers_version", "torch_dtype", "dtype", "use_cache", "gradient_checkpointing"),
    *("attention_probs_dropout_prob", "hidden_dropout_prob", "attention_dropout", "hidden_dropout", "classifier_dropout"),
    *("initializer_range", "id2label", "label2id", "problem_type", "auto_map"),
}
_BLOCK = re.compile(r"(?:^|\.)(?:layers?|blocks?|h)\.(\d+)\.")


@dataclass(frozen=True)
class Part:
    """One module of a model: its network, its pooling, ...

    Attributes:
        kind: Its class's name.
        path: Its folder below the model's; empty for the model's own.
        settings: What it computes by.
        tensors: Its weights by the name that the network gives them.
    """

    kind: str
    path: str
    settings: dict[str, Any]
    tensors: dict[str, Stored]

    @property
    def blocks(self) -> int:
        """Number of numbered blocks; 0 where it has none."""
        return max((block + 1 for name in self.tensors if (block := block_of(name)) is not None), default=0)


@dataclass(frozen=True)
class Parent:
    """A model that is averaged.

    Attributes:
        ref: Where it lies, and its content hash.
        parts: Its modules, in order.
        tokenizer: Hash of what its tokenizer does to a text, less cut and padding.
        prompts: What it puts before texts, by role; empty ones left out.
        similarity: How its vectors are compared.
        ignored: Tensors in its files that its network does not have: heads, buffers of old versions.
    """

    ref: ModelRef
    parts: tuple[Part, ...]
    tokenizer: str
    prompts: dict[str, str]
    similarity: str
    ignored: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return Path(self.ref.location)


def block_of(name: str) -> int | None:
    """Number of the block that a tensor belongs to, from 0; None where it belongs to none."""
    found = _BLOCK.search(name)
    return int(found.group(1)) if found else None


def open_parents(
    models: Sequence[str | ModelRef], folder: Path | None = None, prompts_from: str | None = None
) -> list[Parent]:
    """Find the models and check that their average is a model.

    Args:
        models: Folders, hub ids or ``builtin:NAME``; two or more.
        folder: What relative paths are relative to.
        prompts_from: Which of the models' prompts to keep where they differ.

    Raises:
        ModelError: One is not there or unsafe to load, or two of them differ in architecture, tokenizer, pooling, dimensions
            or prompts; the message names both.
    """
    if len(models) < 2:
        raise ModelError("merging needs two models or more")
    refs = [one if isinstance(one, ModelRef) else resolve_model(one, folder) for one in models]
    if prompts_from is not None and prompts_from not in {ref.name for ref in refs}:
        raise ModelError(f"prompts are to be those of {prompts_from}, which is none of {', '.join(r.name for r in refs)}")
    parents = [_open(ref) for ref in refs]
    for other in parents[1:]:
        _check_alike(parents[0], other, prompts=prompts_from is None)
    return parents


def _open(ref: ModelRef) -> Parent:
    refuse_pickles(ref)
    folder = Path(ref.location)
    adapters = sorted(folder.rglob("adapter_model.safetensors"))
    if adapters:
        raise ModelError(f"model {ref.name} is an adapter beside a model: merge it into its base and save that first")
    listed = _json(folder / MODULES, _PLAIN)
    ignored: list[str] = []
    if outside := [one["path"] for one in listed if Path(one["path"]).is_absolute() or ".." in Path(one["path"]).parts]:
        raise ModelError(f"model {ref.name}: its module {outside[0]} lies outside its folder: do not trust this model")
    parts = tuple(_part(ref, folder, one["type"], one["path"], number == 0, ignored) for number, one in enumerate(listed))
    if listed is _PLAIN:
        parts = (*parts, _mean_pooling(parts[0]))
    settings = _json(folder / SETTINGS, {})
    prompts = {role: text for role, text in (settings.get("prompts") or {}).items() if text}
    similarity = settings.get("similarity_fn_name") or "cosine"
    return Parent(ref, parts, _tokenizer_digest(ref, folder / parts[0].path), prompts, similarity, tuple(ignored))


def _mean_pooling(network: Part) -> Part:
    """What the library puts behind a network that comes without modules."""
    from sentence_transformers.sentence_transformer.modules import Pooling

    return Part("Pooling", "", Pooling(int(network.settings["hidden_size"])).get_config_dict(), {})


def _part(ref: ModelRef, folder: Path, type_: str, path: str, first: bool, ignored: list[str]) -> Part:
    kind = type_.rpartition(".")[2]
    stored = stored_tensors(folder / path) if first or path else []
    if kind == "Transformer":
        settings, names = _network(ref, folder / path)
        tensors = {}
        for one in stored:
            name = _known(one.key, names)
            if name is None:
                ignored.append(one.key)
            else:
                tensors[name] = one
        return Part(kind, path, settings, tensors)
    return Part(kind, path, _settings(ref, folder, type_, path), {one.key: one for one in stored})


def _network(ref: ModelRef, folder: Path) -> tuple[dict[str, Any], set[str]]:
    """What the transformer is, and the names of its tensors, without reading any."""
    import torch
    from transformers import AutoConfig, AutoModel

    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        with torch.device("meta"):
            network = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise ModelError(f"model {ref.name}: its network is not one that transformers knows ({reason})") from error
    settings = {k: v for k, v in config.to_dict().items() if k not in _NO_ARCHITECTURE and not k.startswith("_")}
    return settings, set(network.state_dict())


def _known(key: str, names: set[str]) -> str | None:
    """The network's name of a stored tensor: what is left when a prefix (``bert.``) goes, in torch's words."""
    modern = key.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
    starts = [0, *(i + 1 for i, char in enumerate(modern) if char == ".")]
    return next((modern[i:] for i in starts if modern[i:] in names), None)


def _settings(ref: ModelRef, folder: Path, type_: str, path: str) -> dict[str, Any]:
    """A module's settings in the words of the installed library, whatever version wrote them."""
    from sentence_transformers.util import import_from_string

    try:
        kind: Any = import_from_string(type_)
        module = kind.load(str(folder), subfolder=path, local_files_only=True)
        found: dict[str, Any] = module.get_config_dict()
    except (OSError, ValueError, TypeError, AttributeError, ImportError) as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise ModelError(f"model {ref.name}: its module {path or type_} does not load ({reason})") from error
    return found


def _tokenizer_digest(ref: ModelRef, folder: Path) -> str:
    from transformers import AutoTokenizer

    if not (folder / "config.json").is_file() and (folder / "tokenizer.json").is_file():
        rules = _json(folder / "tokenizer.json", {})
        return digest({key: value for key, value in rules.items() if key not in ("truncation", "padding")})
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError, TypeError) as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise ModelError(f"model {ref.name}: its tokenizer does not load ({reason})") from error
    backend = getattr(tokenizer, "backend_tokenizer", None)
    rules = json.loads(backend.to_str()) if backend is not None else {"vocab": tokenizer.get_vocab()}
    rules = {key: value for key, value in rules.items() if key not in ("truncation", "padding")}
    special = {key: str(value) for key, value in tokenizer.special_tokens_map.items()}
    return digest({"rules": rules, "special": special})


def _json(path: Path, default: Any) -> Any:  # noqa: ANN401
    return json.loads(path.read_text("utf-8")) if path.is_file() else default


def _check_alike(one: Parent, other: Parent, prompts: bool) -> None:
    names = f"{one.ref.name} and {other.ref.name} cannot be merged"
    kinds = [[part.kind for part in parent.parts] for parent in (one, other)]
    if kinds[0] != kinds[1]:
        raise ModelError(f"{names}: the one is {' + '.join(kinds[0])}, the other {' + '.join(kinds[1])}")
    for mine, its in zip(one.parts, other.parts, strict=True):
        what = "pooling" if mine.kind == "Pooling" else "architecture" if mine.kind == "Transformer" else mine.kind
        if difference := _difference(mine.settings, its.settings):
            raise ModelError(f"{names}: their {what} differs in {difference}")
        _check_tensors(names, mine, its)
    if one.tokenizer != other.tokenizer:
        raise ModelError(f"{names}: their tokenizers differ: one word would mean another row of the embeddings")
    if one.similarity != other.similarity:
        raise ModelError(f"{names}: the one compares by {one.similarity}, the other by {other.similarity}")
    if prompts and one.prompts != other.prompts:
        difference = _difference(one.prompts, other.prompts)
        raise ModelError(f"{names}: their prompts differ in {difference}: say whose to keep (--prompts-from MODEL)")


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The first setting in which two differ, with both values; empty if none."""
    for key in sorted({*one, *other}):
        if one.get(key) != other.get(key):
            return f"{key} ({_short(one.get(key))} and {_short(other.get(key))})"
    return ""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _check_tensors(names: str, one: Part, other: Part) -> None:
    for name in sorted({*one.tensors, *other.tensors}):
        mine, its = one.tensors.get(name), other.tensors.get(name)
        if mine is None or its is None:
            if "pooler" not in name and (mine or its or Stored(Path(), "", "F32", ())).is_float:
                raise ModelError(f"{names}: only one of them has the weights {name}")
        elif mine.shape != its.shape:
            raise ModelError(f"{names}: {name} is {_size(mine)} in the one, {_size(its)} in the other")


def _size(stored: Stored) -> str:
    return " x ".join(map(str, stored.shape)) or "one number"
