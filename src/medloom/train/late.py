"""Late-interaction models: a dense encoder learns to give a vector for each token (ColBERT, Khattab and Zaharia 2020)."""

import json
import shutil
import string
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from medloom.encode.encoder import resolve_precision
from medloom.encode.models import ModelRef, load_model
from medloom.errors import ModelError, StageError
from medloom.identity import model_digest
from medloom.records import TrainingRecord
from medloom.train.callbacks import make_callback, make_trainer
from medloom.train.config import LoopConfig
from medloom.train.loop import (
    TrainResult,
    datasets_of,
    last_checkpoint,
    set_dropout,
    step_of,
    steps_of,
    training_arguments,
    use_eager_attention,
)

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder, SentenceTransformer
    from sentence_transformers.base.modules import Transformer

Role = Literal["query", "document"]

_MARKERS: dict[Role, tuple[str, str]] = {"query": ("[unused0]", "[Q]"), "document": ("[unused1]", "[D]")}
_TOKENIZER = "tokenizer.json"
_CUT = ("truncation", "padding")
_SAMPLE = 512
_BATCH = 32


class LateConfig(LoopConfig):
    """Settings of the training of a late-interaction model."""

    kind: Literal["late-interaction"] = Field(description="One vector a token, compared by MaxSim.")
    batch_size: int = Field(default=32, ge=2, description="Pairs per step; each is a negative for all others.")
    dimensions: int = Field(default=128, ge=1, description="Of a token's vector; at most those of the base's tokens.")
    temperature: float = Field(
        default=1.0, gt=0, description="Of InfoNCE; MaxSim, a sum over the query's tokens, is divided by it."
    )
    length_normalised: bool = Field(
        default=False,
        description="Divide MaxSim by the number of the query's tokens in training, so that short and long queries weigh "
        "the same; a temperature around 0.05 goes with it.",
    )
    expansion: Literal["min", "fixed", "none"] = Field(
        default="min",
        description="Of queries by mask tokens that the model fills: up to `query_length`, longer ones left whole (min) or "
        "cut to it (fixed, as ColBERT has it); or not at all.",
    )
    query_length: int = Field(default=32, ge=4, description="Tokens that a query is expanded to.")
    attend: bool = Field(default=False, description="Whether the words of a query attend to the mask tokens too.")
    document_length: int | None = Field(
        default=None, ge=8, description="Tokens that the model reads of a document; as many as the base if not set."
    )
    max_seq_length: int = Field(default=128, ge=8, description="Longest text in training, in tokens.")
    query_prompt: str | None = Field(
        default=None,
        description="Put before every query. If not set: the base's own prompt, else ColBERT's mark, a token of the base's "
        "vocabulary that stands for nothing else ([unused0]) or the letters [Q].",
    )
    document_prompt: str | None = Field(default=None, description="The same for documents: [unused1] or [D].")
    skip_punctuation: bool = Field(default=True, description="Whether punctuation of documents gets no vector.")
    pool_factor: float = Field(
        default=1.0,
        ge=1,
        description="How many tokens of a document the finished model makes one vector of, about: 2 halves an index "
        "(hierarchical token pooling, Clavié et al. 2024). 1 for none.",
    )
    rows_at_once: int | None = Field(
        default=None,
        ge=1,
        description="Texts that go through the model at once (GradCache, Gao et al. 2021): a large batch in the memory of a "
        "small one, at the cost of a second pass. The whole batch if not set.",
    )
    dropout: float | None = Field(default=0.0, ge=0, lt=1, description="In training; null keeps the model's own.")


def train_late(records: Iterable[TrainingRecord], base: ModelRef, out: Path, config: LateConfig, seed: int) -> TrainResult:
    """Make a late-interaction model of a dense one, train it, and save it as ``out/model``.

    The base's transformer is kept; its pooling gives way to a projection of each token, which starts as the principal
    components of the base's token vectors on some training text, not at random: the model is of use from the first step.
    Loss: InfoNCE over MaxSim with the batch's other documents and the mined negatives. Checkpoints lie in
    ``out/checkpoints`` until training ends; a later call with the same arguments goes on from the last whole one and ends
    with the same weights.

    Args:
        records: Pairs with or without negatives.
        base: The dense model to start from.
        out: Folder of the stage.
        config: Settings.
        seed: Seeds data order, dropout, and the text that the projection is found from.

    Raises:
        StageError: There is nothing to train on, the loss is no longer a number, or a setting does not fit the base.
        ModelError: The base does not load, or has no transformer.
    """
    from sentence_transformers import MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments
    from transformers import set_seed

    kept = list(records)
    datasets = datasets_of(kept)
    if sum(map(len, datasets.values())) < 2:
        raise StageError("train: fewer than two training pairs are left: add text, or lower guard.holdout")
    set_seed(seed)
    model = late_model(base, config, [record.positives[0] for record in kept], seed)
    on_cpu = model.device.type == "cpu"
    if config.dropout is not None:
        set_dropout(model, config.dropout)
    if on_cpu:
        use_eager_attention(model)
    checkpoints = out / "checkpoints"
    precision = resolve_precision(config.precision)
    losses: list[tuple[int, float]] = []
    columns = sorted({column for data in datasets.values() for column in data.column_names})
    longest = {"document": config.max_seq_length}
    if config.expansion != "fixed":
        longest["query"] = max(config.max_seq_length, config.query_length)
    trainer = make_trainer(
        make_callback(losses),
        MultiVectorEncoderTrainer,
        model=model,
        args=training_arguments(
            checkpoints,
            config,
            seed,
            precision,
            steps_of(datasets, config),
            on_cpu,
            MultiVectorEncoderTrainingArguments,
            prompts={c: str(model.prompts["query" if c == "anchor" else "document"]) for c in columns},
            max_length=longest,
        ),
        train_dataset=datasets,
        loss=_loss(model, config),
    )
    last = last_checkpoint(checkpoints)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    _save(model, out / "model", Path(base.location), config.pool_factor)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return TrainResult(
        hash=model_digest(out / "model"),
        steps=int(trainer.state.global_step),
        resumed_from=step_of(last) if last else 0,
        losses=losses,
        precision=precision,
        sets={name: len(data) for name, data in datasets.items()},
    )


def late_model(base: ModelRef, config: LateConfig, texts: Sequence[str], seed: int) -> "MultiVectorEncoder":
    """A late-interaction model on the transformer of a dense one, not yet trained.

    Args:
        base: The dense model.
        config: Settings.
        texts: Documents that the projection is found from; of many, some are drawn.
        seed: Draws them.

    Raises:
        StageError: A setting does not fit the base.
        ModelError: The base does not load, or has no transformer.
    """
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
    from torch import nn

    dense = load_model(base).float()
    transformer = dense[0]
    if not isinstance(transformer, Transformer):
        raise ModelError(f"model {base.name} has no transformer whose tokens could be compared: give another base")
    width = int(transformer.get_embedding_dimension())
    if config.dimensions > width:
        raise StageError(f"train.dimensions is {config.dimensions}, the base's tokens have {width}: give at most that")
    prompts: dict[str, str] = {"query": config.query_prompt, "document": config.document_prompt}  # type: ignore[dict-item]
    for role in _MARKERS:
        if prompts[role] is None:
            prompts[role] = _prompt(dense, role)
    _keep_whole(transformer.tokenizer, prompts.values())
    _expand(transformer, config)
    transformer.document_length = config.document_length
    drawn = np.random.default_rng(seed).permutation(len(texts))[:_SAMPLE]
    components = _components(dense, [prompts["document"] + texts[i] for i in drawn], config)
    projection = Dense(
        width, config.dimensions, bias=False, activation_function=nn.Identity(), init_weight=components,
        module_input_name="token_embeddings",
    )  # fmt: skip
    mask = MultiVectorMask(skiplist_words=_skipped(transformer.tokenizer) if config.skip_punctuation else [])
    modules = [transformer, projection, mask, Normalize(module_input_name="token_embeddings")]
    return MultiVectorEncoder(modules=modules, prompts=prompts, device=str(dense.device))


def _loss(model: "MultiVectorEncoder", config: LateConfig) -> Any:  # noqa: ANN401
    from sentence_transformers.multi_vector_encoder import losses
    from sentence_transformers.multi_vector_encoder.scoring import colbert_scores, mean_colbert_scores

    settings: dict[str, Any] = {
        "scale": 1 / config.temperature,
        "similarity_fct": mean_colbert_scores if config.length_normalised else colbert_scores,
    }
    if config.rows_at_once:
        return losses.CachedMultiVectorMultipleNegativesRankingLoss(model, mini_batch_size=config.rows_at_once, **settings)
    return losses.MultiVectorMultipleNegativesRankingLoss(model, **settings)


def _prompt(dense: "SentenceTransformer", role: Role) -> str:
    """The base's own prompt, else ColBERT's mark."""
    spare, letters = _MARKERS[role]
    marker = spare if spare in dense.tokenizer.get_vocab() else letters
    return dense.prompts.get(role) or f"{marker} "


def _keep_whole(tokenizer: Any, prompts: Iterable[str]) -> None:  # noqa: ANN401
    """Have the tokenizer read a mark that is one token of its vocabulary as that token, not letter by letter."""
    from transformers import AddedToken

    known = tokenizer.get_vocab()
    marks = [p.strip() for p in prompts if p.strip() in known and tokenizer.tokenize(p.strip()) != [p.strip()]]
    if marks:
        added = [AddedToken(mark, normalized=False, special=True) for mark in marks]
        tokenizer.add_special_tokens({"additional_special_tokens": added})


def _expand(transformer: "Transformer", config: LateConfig) -> None:
    """Set the expansion of queries."""
    if config.expansion == "none":
        return
    try:
        transformer.query_expansion = {
            "strategy": config.expansion,
            "attend": config.attend,
            "length": config.query_length,
        }
    except ValueError as error:
        raise StageError(
            "train.expansion: the base's tokenizer has no mask token to expand queries with: set it to none"
        ) from error


def _skipped(tokenizer: Any) -> list[str]:  # noqa: ANN401
    """Marks of punctuation that are tokens of the vocabulary."""
    known = tokenizer.get_vocab()
    return [mark for mark in string.punctuation if mark in known]


def _components(dense: "SentenceTransformer", texts: Sequence[str], config: LateConfig) -> Any:  # noqa: ANN401
    """Principal directions of the base's token vectors, a float32 tensor of shape (dimensions, width).

    They are not centred: the projection has no bias, and MaxSim compares directions.
    """
    import torch

    dense.eval()
    longest = dense.max_seq_length
    dense.max_seq_length = min(config.max_seq_length, longest or config.max_seq_length)
    moments: npt.NDArray[np.float64] = np.zeros((1, 1))
    with torch.inference_mode():
        for start in range(0, len(texts), _BATCH):
            features = dense.preprocess(list(texts[start : start + _BATCH]))
            features = {k: v.to(dense.device) if hasattr(v, "to") else v for k, v in features.items()}
            found = dense[0](features)
            rows = found["token_embeddings"][found["attention_mask"].bool()].double().cpu().numpy()
            rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
            moments = moments + rows.T @ rows
    dense.max_seq_length = longest
    _, directions = np.linalg.eigh(moments)
    return torch.from_numpy(np.ascontiguousarray(directions[:, ::-1][:, : config.dimensions].T, dtype=np.float32))


def _save(model: "MultiVectorEncoder", folder: Path, base: Path, pool_factor: float) -> None:
    """A plain MultiVectorEncoder folder, without a card (the publish stage writes it).

    The tokenizer in memory has the training's cut and padding written into it: the base's are put back.
    """
    from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling

    if pool_factor > 1:
        model.append(HierarchicalTokenPooling(pool_factor))
    if folder.exists():
        shutil.rmtree(folder)
    keep: dict[str, Any] = {"create_model_card": False, "safe_serialization": True}
    model.save_pretrained(str(folder), **keep)
    ours, theirs = folder / _TOKENIZER, base / _TOKENIZER
    if ours.is_file() and theirs.is_file():
        before = json.loads(theirs.read_text("utf-8"))
        after = json.loads(ours.read_text("utf-8")) | {key: before.get(key) for key in _CUT}
        ours.write_text(json.dumps(after, ensure_ascii=False), "utf-8")
