"""Documents become a folder of vectors."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from medloom.encode import job, sinks
from medloom.encode.encoder import Floats, TorchEncoder
from medloom.encode.job import Encoded, EncodeSettings, Item, document_text, encode_documents, read_settings
from medloom.encode.sinks import Form
from medloom.encode.stored import Kept, keep
from medloom.errors import ArtifactError, RunLockedError
from medloom.records import Document, Section, Synonym

TEXTS = ["fever", "cough", "heart pain", "fever", "", "rash", "cough", "bone", "fever", "liver", "dose"]
SHARD = 4


class Counting:
    """An encoder that notes what it is asked for, and can die at a text."""

    def __init__(self, encoder: TorchEncoder) -> None:
        self._encoder = encoder
        self.asked: list[str] = []
        self.dies_at = ""
        self.dimensions, self.hash = encoder.dimensions, encoder.hash

    def prompt_for(self, role: Any) -> str | None:
        return None

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Floats:
        if self.dies_at in texts:
            raise KeyboardInterrupt
        self.asked += texts
        return self._encoder.encode(texts, prompt)


@pytest.fixture
def encoder(tiny_encoder: TorchEncoder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counting]:
    monkeypatch.setattr(job, "SHARD", SHARD)
    monkeypatch.setattr(sinks, "SHARD", SHARD)
    counting = Counting(tiny_encoder)
    counting.dies_at = "never"
    yield counting


def items(texts: Sequence[str] = TEXTS) -> list[Item]:
    return [Item("s", f"d{i}", (text,)) for i, text in enumerate(texts)]


def settings(form: Form = "npy", stored: Kept = "float32", **more: Any) -> EncodeSettings:
    given = {"model": "m", "model_hash": "h", "backend": "torch", "precision": "fp32", "prompt": None, "dimensions": 32}
    return EncodeSettings(**{**given, "form": form, "stored": stored, "long": "cut", **more})


def read(folder: Path, form: Form) -> tuple[list[str], Any]:
    """Ids and vectors of a folder."""
    if form == "parquet":
        table = pq.read_table([folder / name for name in sorted(p.name for p in folder.glob("part-*.parquet"))])
        return table.column("id").to_pylist(), np.array(table.column("vector").to_pylist())
    return pq.read_table(folder / "ids").column("id").to_pylist(), np.load(folder / "vectors.npy", mmap_mode="r")


@pytest.mark.parametrize("form", ["parquet", "npy"])
@pytest.mark.parametrize("stored", ["float32", "float16", "int8", "binary"])
def test_rows_stand_in_order_and_duplicates_are_computed_once(
    encoder: Counting, tmp_path: Path, form: Form, stored: Kept
) -> None:
    result = encode_documents(items(), encoder, tmp_path / "out", settings(form, stored))
    ids, rows = read(tmp_path / "out", form)
    assert ids == [f"d{i}" for i in range(len(TEXTS))]
    expected = keep(encoder.encode(TEXTS), stored)
    np.testing.assert_allclose(rows.astype(float), expected.astype(float), atol=1e-3 if stored != "int8" else 1)
    assert (rows[0] == rows[3]).all() and (rows[0] == rows[8]).all()
    assert sorted(encoder.asked[: result.computed]) == sorted(set(TEXTS))
    assert (result.documents, result.computed, result.repeated, result.kept, result.empty) == (11, 8, 3, 0, 1)


@pytest.mark.parametrize("form", ["parquet", "npy"])
def test_a_killed_command_goes_on_and_ends_as_an_unbroken_one(encoder: Counting, tmp_path: Path, form: Form) -> None:
    encode_documents(items(), encoder, tmp_path / "whole", settings(form))
    encoder.asked, encoder.dies_at = [], "liver"
    with pytest.raises(KeyboardInterrupt):
        encode_documents(items(), encoder, tmp_path / "out", settings(form))
    assert json.loads((tmp_path / "out" / "encoding.json").read_text("utf-8"))["state"] == "encoding"
    with (tmp_path / "out" / "shards.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"shard": 2, "te')
    encoder.asked, encoder.dies_at = [], "never"
    result = encode_documents(items(), encoder, tmp_path / "out", settings(form))
    assert (result.kept, result.computed, result.repeated) == (8, 2, 3)
    assert sorted(encoder.asked) == ["dose", "liver"]
    whole, resumed = read(tmp_path / "whole", form), read(tmp_path / "out", form)
    assert whole[0] == resumed[0]
    assert whole[1].tobytes() == resumed[1].tobytes()
    said = json.loads((tmp_path / "out" / "encoding.json").read_text("utf-8"))
    assert (said["state"], said["documents"], said["kept"]) == ("ready", 11, 8)


@pytest.mark.parametrize("form", ["parquet", "npy"])
def test_a_folder_follows_its_documents(encoder: Counting, tmp_path: Path, form: Form) -> None:
    encode_documents(items(), encoder, tmp_path, settings(form))
    encoder.asked = []
    texts = [*TEXTS[:4], "skin", *TEXTS[5:8]]
    result = encode_documents(items(texts), encoder, tmp_path, settings(form))
    assert (result.documents, result.kept, result.computed) == (8, 4, 3)
    assert sorted(encoder.asked) == ["bone", "rash", "skin"]
    ids, rows = read(tmp_path, form)
    assert ids == [f"d{i}" for i in range(8)]
    np.testing.assert_allclose(rows, encoder.encode(texts), atol=1e-5)


def test_a_document_with_another_id_is_another_row(encoder: Counting, tmp_path: Path) -> None:
    encode_documents(items(), encoder, tmp_path, settings())
    renamed = [Item("s", item.id.upper(), item.pieces) for item in items()]
    assert encode_documents(renamed, encoder, tmp_path, settings()).kept == 0
    assert read(tmp_path, "npy")[0][0] == "D0"


def test_pieces_are_averaged_by_their_lengths(encoder: Counting, tmp_path: Path) -> None:
    several = [Item("s", "a", ("fever", "heart pain")), Item("s", "b", ("rash",)), Item("s", "c", ("fever heart", "pain"))]
    result = encode_documents(several, encoder, tmp_path, settings())
    assert (result.computed, result.pooled, result.repeated) == (5, 2, 0)
    rows = read(tmp_path, "npy")[1]
    fever, pain, rash = encoder.encode(["fever", "heart pain", "rash"])
    mean = 5 * fever + 10 * pain
    np.testing.assert_allclose(rows[0], mean / np.linalg.norm(mean), atol=1e-5)
    np.testing.assert_allclose(rows[1], rash, atol=1e-6)


def test_counts_of_what_was_cut_outlive_a_kill(encoder: Counting, tmp_path: Path) -> None:
    def count_cut(texts: Sequence[str]) -> int:
        return sum(len(text) > 4 for text in texts)

    first = encode_documents(items(), encoder, tmp_path, settings(), count_cut)
    again = encode_documents(items(), encoder, tmp_path, settings(), count_cut)
    assert first.cut == again.cut == 7
    assert first.share_cut == pytest.approx(7 / 11)
    assert again.kept == 11


def test_dimensions_are_cut(encoder: Counting, tmp_path: Path) -> None:
    encode_documents(items(), encoder, tmp_path, settings(dimensions=8))
    rows = read(tmp_path, "npy")[1]
    assert rows.shape == (11, 8)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_vectors_of_another_kind_are_not_added_to(encoder: Counting, tmp_path: Path) -> None:
    encode_documents(items(), encoder, tmp_path, settings())
    with pytest.raises(ArtifactError, match="precision fp32, not bf16"):
        encode_documents(items(), encoder, tmp_path, settings(precision="bf16"))
    encode_documents(items(), encoder, tmp_path, settings(model="the same by another name"))
    assert read_settings(tmp_path) is not None
    (tmp_path / "encoding.json").write_text("{}", "utf-8")
    with pytest.raises(ArtifactError, match=r"encoding\.json is damaged"):
        encode_documents(items(), encoder, tmp_path, settings())


def test_a_folder_of_other_things_is_left_alone(encoder: Counting, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    with pytest.raises(ArtifactError, match="holds other things"):
        encode_documents(items(), encoder, tmp_path, settings())
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", ".lock"}


def test_two_commands_do_not_write_at_once(encoder: Counting, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"), pytest.raises(RunLockedError):
        encode_documents(items(), encoder, tmp_path, settings())


def test_no_documents(encoder: Counting, tmp_path: Path) -> None:
    result = encode_documents([], encoder, tmp_path, settings())
    assert result == Encoded(str(tmp_path), seconds=result.seconds)
    assert np.load(tmp_path / "vectors.npy").shape == (0, 32)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (Document("1", "s", "Fever", "It is hot."), "Fever\nIt is hot."),
        (
            Document("1", "s", "Fever", sections=(Section("Care", "Rest."), Section("", "Drink."))),
            "Fever\nCare\nRest.\nDrink.",
        ),
        (Document("1", "s", "Fever", "Hot.", synonyms=(Synonym("Pyrexia"), Synonym("Fever"))), "Fever\nPyrexia\nHot."),
        (Document("1", "s"), ""),
    ],
)
def test_what_a_document_says(document: Document, expected: str) -> None:
    assert document_text(document) == expected


def test_a_header_has_one_length(tmp_path: Path) -> None:
    sink = sinks.NpySink(tmp_path, 32, "float32")
    for count in (0, 1, 10**12):
        sink._write_header(count)
        assert (tmp_path / "vectors.npy").stat().st_size == sinks._HEADER
