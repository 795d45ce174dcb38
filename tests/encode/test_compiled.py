"""Models computed by another runtime."""

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medloom.encode import Encoder, ModelRef, choose, compiled, convert, load_encoder, resolve_model, runtimes
from medloom.encode.compiled import CompiledEncoder
from medloom.encode.encoder import Backend, TorchEncoder
from medloom.errors import ModelError

TEXTS = ["fever", "heart pain in a child at night with high blood pressure", "", "fever", "cough dose", "?", "pain " * 90]
BACKENDS: tuple[Backend, ...] = ("openvino", "onnx")


@pytest.fixture(scope="module")
def torch_encoder(prompted_model: Path) -> TorchEncoder:
    return load_encoder(prompted_model)


@pytest.mark.parametrize("backend", BACKENDS)
def test_vectors_are_those_of_torch(converted: Any, torch_encoder: TorchEncoder, backend: Backend) -> None:
    encoder = converted(backend)
    assert isinstance(encoder, Encoder)
    vectors = encoder.encode(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, torch_encoder.encode(TEXTS), atol=1e-5)
    prompt = encoder.prompt_for("query")
    assert prompt == "find "
    np.testing.assert_allclose(encoder.encode(TEXTS, prompt), torch_encoder.encode(TEXTS, prompt), atol=1e-5)
    assert encoder.encode([]).shape == (0, 32)
    assert encoder.prompt_for("document") is None


@pytest.mark.parametrize("backend", BACKENDS)
def test_int8_is_near_and_says_that_it_is_another_model(
    converted: Any, torch_encoder: TorchEncoder, backend: Backend
) -> None:
    pytest.importorskip("nncf")
    encoder = converted(backend, "int8")
    found = convert.parity(torch_encoder.encode(TEXTS), encoder.encode(TEXTS))
    assert 0.95 < found.mean < 0.999999
    assert encoder.precision == "int8"
    assert encoder.hash != torch_encoder.hash


def test_what_an_encoder_says_of_itself(converted: Any, prompted_model: Path, torch_encoder: TorchEncoder) -> None:
    encoder = converted("openvino")
    assert (encoder.dimensions, encoder.pooling, encoder.backend, encoder.precision) == (32, "mean", "openvino", "fp32")
    assert encoder.hash == torch_encoder.hash == resolve_model(str(prompted_model)).hash
    assert encoder.model.max_seq_length == torch_encoder.model.max_seq_length


def test_equal_texts_are_computed_once_over_windows(converted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = converted("openvino")
    monkeypatch.setattr(compiled, "WINDOW", 16)
    texts = [f"fever {i % 70}" for i in range(210)]
    expected = encoder.encode(texts[:70])
    rows: list[int] = []
    threads: set[str] = set()
    real, read = encoder._network.run, encoder.model.read

    def run(ids: Any, mask: Any) -> Any:
        rows.append(len(ids))
        return real(ids, mask)

    def noted(texts: list[str]) -> Any:
        threads.add(threading.current_thread().name)
        return read(texts)

    monkeypatch.setattr(encoder._network, "run", run)
    monkeypatch.setattr(encoder.model, "read", noted)
    np.testing.assert_allclose(encoder.encode(texts), np.tile(expected, (3, 1)), atol=1e-6)
    assert sum(rows) == 70
    assert all(name.startswith("tokenizer") for name in threads)


@pytest.mark.parametrize("texts", ["fever", ["fever", None], [b"fever"]])
def test_anything_but_a_list_of_strings_is_refused(converted: Any, texts: Any) -> None:
    with pytest.raises(TypeError, match="encode takes a list of strings"):
        converted("openvino").encode(texts)


def test_a_conversion_is_kept_and_a_damaged_one_made_anew(
    converted: Any, cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = converted("openvino")
    made: list[str] = []

    def noted(ref: ModelRef, *rest: Any) -> Any:
        made.append(ref.name)
        return convert.convert(ref, *rest)

    monkeypatch.setattr(choose, "convert", noted)
    converted("openvino")
    assert made == []
    (folder,) = (cache_home / "medloom" / "converted").glob(f"{before.hash[:32]}-openvino-fp32-*/")
    facts = json.loads((folder / "converted.json").read_text("utf-8"))
    assert facts["parity"]["least"] > 0.9999
    (folder / "converted.json").write_text("{", "utf-8")
    np.testing.assert_allclose(converted("openvino").encode(TEXTS), before.encode(TEXTS), atol=1e-6)
    assert len(made) == 1
    assert not list(folder.parent.glob("*.partial"))


def test_a_converted_folder_is_a_model_that_needs_no_source(
    converted: Any, cache_home: Path, tmp_path: Path, torch_encoder: TorchEncoder
) -> None:
    encoder = converted("openvino")
    (folder,) = (cache_home / "medloom" / "converted").glob(f"{encoder.hash[:32]}-openvino-fp32-*/")
    export = Path(shutil.copytree(folder, tmp_path / "export"))
    np.testing.assert_allclose(load_encoder(export, "fp32", "auto").encode(TEXTS), torch_encoder.encode(TEXTS), atol=1e-5)
    with pytest.raises(ModelError, match="an export for openvino"):
        load_encoder(export)
    with pytest.raises(ModelError, match="holds fp32 weights"):
        load_encoder(export, "int8", "auto")
    (export / "model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="export the model again"):
        load_encoder(export, "fp32", "openvino")
    (export / "model.xml").unlink()
    with pytest.raises(ModelError, match=r"lacks model\.xml"):
        load_encoder(export, "fp32", "openvino")


def test_a_conversion_that_gives_other_vectors_is_refused(
    make_model: Callable[..., Path], cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CompiledEncoder, "encode", lambda self, texts: np.ones((len(texts), 32), dtype=np.float32))
    folder = make_model(seed=11)
    with pytest.raises(ModelError, match="gives other vectors: cosine"):
        load_encoder(folder, "fp32", "openvino")
    assert not list((cache_home / "medloom" / "converted").glob(f"{resolve_model(str(folder)).hash[:32]}-*/"))


def test_a_model_that_cannot_be_converted(tmp_path: Path, prompted_model: Path, cache_home: Path) -> None:
    folder = Path(shutil.copytree(prompted_model, tmp_path / "model"))
    (pooling,) = folder.glob("1_*/config.json")
    pooling.write_text(json.dumps(json.loads(pooling.read_text("utf-8")) | {"include_prompt": False}), "utf-8")
    with pytest.raises(ModelError, match="its pooling leaves the prompt out"):
        load_encoder(folder, "fp32", "openvino")
    encoder = load_encoder(folder, "auto", "auto")
    assert isinstance(encoder, TorchEncoder)
    assert "its pooling leaves the prompt out" in encoder.choice


def test_auto_measures_and_takes_the_fastest(converted: Any, prompted_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converted("openvino"), converted("onnx")
    rates = {"openvino": 10.0, "onnx": 30.0, "torch": 20.0}
    monkeypatch.setattr(choose, "_rate", lambda encoder: rates[encoder.backend])
    encoder = load_encoder(prompted_model, "fp32", "auto")
    assert encoder.backend == "onnx"
    assert encoder.choice == "onnx fp32 (openvino fp32 10 texts/s; onnx fp32 30 texts/s; torch fp32 20 texts/s)"


def test_auto_without_other_runtimes_is_torch(prompted_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "is_installed", lambda runtime: False)
    assert load_encoder(prompted_model, "fp32", "auto").choice == "torch fp32 (openvino: not installed; onnx: not installed)"
    with pytest.raises(ModelError, match="nothing here computes"):
        load_encoder(prompted_model, "int8", "auto")


def test_the_measure_runs_real_text(converted: Any) -> None:
    assert choose._rate(converted("openvino")) > 0


def test_a_missing_runtime_names_its_extra(prompted_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "is_installed", lambda runtime: False)
    with pytest.raises(ImportError, match=r"medloom\[openvino\]"):
        load_encoder(prompted_model, "fp32", "openvino")


def test_precisions_that_are_not_to_be_had(prompted_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="no int8 with the backend torch"):
        load_encoder(prompted_model, "int8", "torch")
    with pytest.raises(ModelError, match="ONNX Runtime has none"):
        load_encoder(prompted_model, "bf16", "onnx")
    monkeypatch.setattr(runtimes, "computes_bf16", lambda: False)
    assert runtimes.settle_precision("openvino", "auto") == "fp32"
    with pytest.raises(ModelError, match="no instructions for it"):
        load_encoder(prompted_model, "bf16", "openvino")
    monkeypatch.setattr(runtimes, "computes_bf16", lambda: True)
    assert runtimes.settle_precision("openvino", "auto") == "bf16"


def test_cosines_of_zeros_and_of_noise() -> None:
    zeros, ones = np.zeros((1, 4), np.float32), np.ones((1, 4), np.float32)
    assert convert.parity(zeros, zeros).least == 1.0
    assert convert.parity(zeros, ones).least == -1.0
    assert convert.parity(ones, ones * 2).least == pytest.approx(1.0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_several_threads_encode_at_once(
    converted: Any, torch_encoder: TorchEncoder, monkeypatch: pytest.MonkeyPatch, backend: Backend
) -> None:
    monkeypatch.setattr(runtimes, "usable_cores", lambda: 2)
    monkeypatch.setattr(compiled, "TOKENS_PER_BATCH", 40)
    monkeypatch.setattr(compiled, "_LEAST_TOKENS", 1)
    encoder = converted(backend)
    assert encoder._network.streams == 2
    texts = [f"{word} {number}" for number in range(60) for word in ("fever", "heart pain", "rash in a child")]
    expected = torch_encoder.encode(texts)
    found: dict[int, Any] = {}
    threads = [threading.Thread(target=lambda n=n: found.setdefault(n, encoder.encode(texts))) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for vectors in found.values():
        np.testing.assert_allclose(vectors, expected, atol=1e-5)
    assert len(found) == 3


def test_what_fails_in_a_stream_is_raised(converted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "usable_cores", lambda: 2)
    encoder = converted("openvino")

    def fail(ids: Any, mask: Any) -> Any:
        raise RuntimeError("no memory")

    monkeypatch.setattr(encoder._network, "run", fail)
    with pytest.raises(RuntimeError, match="no memory"):
        encoder.encode([f"fever {i}" for i in range(500)])
