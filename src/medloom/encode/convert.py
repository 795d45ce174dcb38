"""From a SentenceTransformer to a network of another runtime, checked against the original before it is used.

The whole model is converted, pooling, dense layers and normalisation included, so there is one account of what they do:
the model's own. What cannot be followed, or does not give the same vectors, is refused.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medloom.encode.converted import TOKENIZER, Facts, Parity, open_converted, write_facts
from medloom.encode.encoder import Floats, TorchEncoder
from medloom.encode.models import ModelRef, load_model
from medloom.encode.reader import Reader
from medloom.encode.runtimes import MODEL_FILE, Runtime, Stored, check_installed, missing_extra
from medloom.encode.sample import sample_texts
from medloom.encode.silent import openvino_library
from medloom.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LEAST_COSINE = {"fp32": 0.9999, "int8": 0.8}
MEAN_COSINE = {"fp32": 0.9999, "int8": 0.97}
"""A conversion is refused with a text below the first, or an average below the second."""

_UNKNOWN_LENGTH = 512
_LONGEST = 100_000
_PROBES = 24
_CALIBRATION = 192
_CALIBRATION_BATCH = 8
_OPSET = 20
_PACKAGES = {"openvino": ("openvino",), "onnx": ("onnxruntime", "onnx", "onnxscript")}
_ONNX_FILE_LIMIT = 1_800_000_000


def convert(ref: ModelRef, runtime: Runtime, stored: Stored, folder: Path) -> Facts:
    """Convert a model into an empty folder, and check it.

    Args:
        ref: The model.
        runtime: What is to compute it.
        stored: What to keep the weights as.
        folder: Where to write; there already.

    Raises:
        ModelError: The model has parts that cannot be converted, or the result does not give its vectors.
        ImportError: What converts is not installed.
    """
    check_installed(runtime)
    model = load_model(ref).to("cpu").float().eval()
    reader = reader_of(ref, model)
    source = TorchEncoder(model, ref.hash)
    try:
        with _quietly():
            _WRITERS[runtime](model, reader, stored, folder)
    except ImportError as error:
        raise (_missing_int8() if stored == "int8" and runtime == "openvino" else missing_extra(runtime)) from error
    except Exception as error:
        reason = (str(error).strip() or "no reason given").split("\n")[0][:200]
        raise ModelError(
            f"model {ref.name} cannot be converted for {runtime} ({type(error).__name__}: {reason}): use the backend torch"
        ) from error
    reader.tokenizer.save(str(folder / TOKENIZER))
    facts = Facts(
        format=1,
        runtime=runtime,
        stored=stored,
        model=ref.name,
        model_hash=ref.hash,
        dimensions=source.dimensions,
        max_seq_length=reader.max_seq_length,
        pad_id=reader.pad_id,
        pads_left=reader.pads_left,
        pooling=source.pooling,
        prompts={role: text for role, text in model.prompts.items() if text},
        versions=versions(runtime),
        parity=None,
    )
    write_facts(folder, facts)
    probes = probe_texts(reader)
    found = parity(source.encode(probes), open_converted(folder, stored).encode(probes))
    if found.least < LEAST_COSINE[stored] or found.mean < MEAN_COSINE[stored]:
        raise ModelError(
            f"model {ref.name} converted for {runtime} in {stored} gives other vectors: cosine {found.least:.5f} at least, "
            f"{found.mean:.5f} on average over {found.texts} texts: use the backend torch"
        )
    facts = facts.model_copy(update={"parity": found})
    write_facts(folder, facts)
    return facts


def versions(runtime: Runtime) -> dict[str, str]:
    """Of the packages that shape a conversion."""
    return {name: version(name) for name in ("torch", "transformers", "sentence-transformers", *_PACKAGES[runtime])}


def parity(source: Floats, converted: Floats) -> Parity:
    """Cosines of two sets of vectors of the same texts, each float32, shape (n, d); two vectors of zeros agree."""
    lengths = np.linalg.norm(source, axis=1) * np.linalg.norm(converted, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = np.where((source == converted).all(axis=1), 1.0, (source * converted).sum(axis=1) / lengths)
    cosines = np.nan_to_num(cosines.astype(np.float64), nan=-1.0)
    return Parity(texts=len(cosines), least=float(cosines.min()), mean=float(cosines.mean()))


def probe_texts(reader: Reader) -> list[str]:
    """Real text, and what is at the edges: none, one longer than the model reads, upper case, other scripts."""
    texts = list(sample_texts(_PROBES))
    longest = " ".join(texts) * (1 + reader.max_seq_length * 8 // sum(map(len, texts)))
    return [*texts, "", "?", texts[1].upper(), "Fièvre élevée, 39 °C; β-blockers ≥ 5 µg", "発熱と咳", longest]


def reader_of(ref: ModelRef, model: "SentenceTransformer") -> Reader:
    """The tokenizer of a model, if it can be used without transformers.

    Raises:
        ModelError: It cannot, or a part of the model wants more than token ids.
    """
    tokenizer: Any = model.tokenizer
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    why = ""
    if not hasattr(model[0], "auto_model") or backend is None:
        why = "it has no network with a fast tokenizer (a static model is looked up, not computed)"
    elif any(getattr(module, "include_prompt", True) is False for module in model):
        why = "its pooling leaves the prompt out"
    if why:
        raise ModelError(f"model {ref.name} cannot be converted: {why}: use the backend torch")
    return Reader(
        backend,
        min(int(model.max_seq_length or _UNKNOWN_LENGTH), _LONGEST),
        int(tokenizer.pad_token_id or 0),
        pads_left=tokenizer.padding_side == "left",
    )


def _whole(model: "SentenceTransformer") -> Any:  # noqa: ANN401
    """The model as a module of two tensors."""
    import torch

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            vectors: torch.Tensor = self.model(features)["sentence_embedding"]
            return vectors

    return Whole().eval()


def _example(reader: Reader) -> Any:  # noqa: ANN401
    """Ids and mask of two texts of unlike length."""
    import torch

    texts = sample_texts(_PROBES)
    ids = reader.read([texts[0], texts[1][: len(texts[0]) // 2]])
    batch = next(reader.batches(ids, 1 << 20))
    return torch.from_numpy(batch.ids), torch.from_numpy(batch.mask)


def _write_openvino(model: "SentenceTransformer", reader: Reader, stored: Stored, folder: Path) -> None:
    import torch

    openvino = openvino_library()

    with torch.no_grad():
        network = openvino.convert_model(_whole(model), example_input=_example(reader))
    if stored == "int8":
        import nncf

        batches = list(_calibration(reader))
        kind = nncf.ModelType.TRANSFORMER
        network = nncf.quantize(network, nncf.Dataset(batches), model_type=kind, subset_size=len(batches))
    openvino.save_model(network, folder / MODEL_FILE["openvino"], compress_to_fp16=False)


def _calibration(reader: Reader) -> Iterator[list[Any]]:
    """Batches of real text, by whose numbers int8 is scaled."""
    texts = sample_texts(_CALIBRATION)
    for start in range(0, len(texts), _CALIBRATION_BATCH):
        for batch in reader.batches(reader.read(texts[start : start + _CALIBRATION_BATCH]), 1 << 20):
            yield [batch.ids, batch.mask]


def _write_onnx(model: "SentenceTransformer", reader: Reader, stored: Stored, folder: Path) -> None:
    import onnxscript  # noqa: F401
    import torch

    target = folder / MODEL_FILE["onnx"]
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with torch.no_grad():
        program = torch.onnx.export(
            _whole(model),
            _example(reader),
            None,
            dynamo=True,
            input_names=["input_ids", "attention_mask"],
            output_names=["vectors"],
            dynamic_shapes={"input_ids": free, "attention_mask": free},
            opset_version=_OPSET,
            verbose=False,
        )
    if program is None:
        raise ModelError("torch exported nothing")
    large = size > _ONNX_FILE_LIMIT
    if stored == "fp32":
        program.save(str(target), external_data=large)
        return
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = folder / "whole.onnx"
    program.save(str(whole), external_data=large)
    quantize_dynamic(
        whole,
        target,
        op_types_to_quantize=["MatMul", "Gemm"],
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        use_external_data_format=large,
    )
    for path in folder.glob("whole.onnx*"):
        path.unlink()


_WRITERS = {"openvino": _write_openvino, "onnx": _write_onnx}


def _missing_int8() -> ImportError:
    return ImportError("int8 for OpenVINO needs nncf: pip install 'medloom[int8]'")


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the warnings of tracing, the converters' own logs, and what they print."""
    noisy = [logging.getLogger(name) for name in ("nncf", "onnxscript", "onnx_ir", "torch.onnx", "openvino", "root")]
    levels = [one.level for one in noisy]
    for one in noisy:
        one.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(noisy, levels, strict=True):
            one.setLevel(level)
