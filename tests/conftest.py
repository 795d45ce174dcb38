"""Shared by all tests: no network, a tiny model, short ways to build records."""

import os
import signal

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["OMP_NUM_THREADS"] = "1"

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from medloom.encode.encoder import TorchEncoder

settings.register_profile("medloom", deadline=None, max_examples=60, derandomize=True, database=None)
settings.load_profile("medloom")

# A shell starts what it runs in the background with Ctrl-C ignored, and the processes under test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

WORDS = [
    *("fever", "cough", "heart", "lung", "liver", "kidney", "pain", "acute", "chronic", "high", "low", "blood", "pressure"),
    *("sugar", "skin", "rash", "bone", "joint", "head", "ache", "tablet", "dose", "daily", "night", "child", "adult"),
    *("what", "is", "the", "of", "a", "in", "and", "with", "for", "patient", "query", "passage", "find"),
]
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,:;?-"

MakeModel = Callable[..., Path]


def _tokenizer() -> object:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    pieces += [p for c in LETTERS for p in (c, f"##{c}") if p not in WORDS]
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))  # type: ignore[call-arg, unused-ignore]
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)  # type: ignore[misc, unused-ignore]
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()  # type: ignore[misc, unused-ignore]
    tokenizer.post_processor = processors.TemplateProcessing(  # type: ignore[misc, unused-ignore]
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        mask_token="[MASK]",
        model_max_length=64,
    )


def build_model(
    folder: Path,
    seed: int = 0,
    prompts: dict[str, str] | None = None,
    pooling: str = "mean",
    dropout: float = 0.1,
    normalize: bool = True,
) -> Path:
    """Save a two-layer BERT with random weights as a SentenceTransformer."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    tokenizer = _tokenizer()
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = BertModel(
            BertConfig(
                vocab_size=len(tokenizer),
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=64,
                max_position_embeddings=64,
                hidden_dropout_prob=dropout,
                attention_probs_dropout_prob=dropout,
            )
        )
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.ndim == 2:
                    parameter.mul_(5)
    bare = folder / "bare"
    network.save_pretrained(str(bare))
    tokenizer.save_pretrained(str(bare))
    transformer = Transformer(str(bare))
    transformer.max_seq_length = 48
    modules = [transformer, Pooling(32, pooling_mode=pooling), *([Normalize()] if normalize else [])]
    model = SentenceTransformer(modules=modules, prompts=prompts or {}, device="cpu")
    out = folder / "model"
    model.save_pretrained(str(out), create_model_card=False)
    return out


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Tiny models are fastest on one thread, and steady where other work shares the cores."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """Builds further tiny models; see :func:`build_model`."""

    def make(**settings: object) -> Path:
        return build_model(tmp_path_factory.mktemp("made"), **settings)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a SentenceTransformer of 32 dimensions that loads in a moment. Copy it before changing it."""
    return build_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_encoder(tiny_model: Path) -> "TorchEncoder":
    """The tiny model as an encoder."""
    from medloom.encode import load_encoder

    return load_encoder(tiny_model)
