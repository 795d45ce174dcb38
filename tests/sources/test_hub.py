"""Data sets of the hub: folders in their place, and a hub of our own on loopback for what only a hub can say."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from medloom.errors import RowError, SourceError
from medloom.records import Document, Section
from medloom.sources import Rejects
from medloom.sources.hub import HubRows, HubSource, split_name

Write = Callable[..., Path]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FIELDS = {"title": "question", "text": "answer"}


def _read(dataset: str, **settings: Any) -> list[Document]:
    return list(HubSource(dataset=dataset, fields=settings.pop("fields", FIELDS), **settings).documents(Rejects(None)))


def test_a_folder_of_parquet_with_every_part_mapped(tmp_path: Path) -> None:
    row = {
        "key": 7,
        "question": "What is gout?",
        "answer": "A disease.",
        "focus": "gout",
        "parts": [{"heading": "more", "text": "Of joints."}, {"heading": "none", "text": ""}],
        "labels": ["joints", " "],
        "date": "2020-01-02",
    }
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "train.parquet")
    fields = FIELDS | {"id": "key", "group": "focus", "sections": "parts", "categories": "labels"}
    settings = {"fields": fields | {"metadata": {"date": "date"}}, "licence": "CC0", "name": "own", "contains_phi": False}
    assert _read(str(tmp_path), **settings) == [
        Document(
            id="7",
            source="own",
            title="What is gout?",
            text="A disease.",
            group="gout",
            sections=(Section("more", "Of joints."),),
            categories=("joints",),
            contains_phi=False,
            metadata=(("licence", "CC0"), ("split", "train"), ("date", "2020-01-02")),
        )
    ]


def test_splits_by_the_names_of_files(tmp_path: Path, write_jsonl: Write) -> None:
    for name in ("train", "test", "dev"):
        write_jsonl(f"{name}.jsonl", [{"question": f"{name}?", "answer": "Yes."}] * 2)
    documents = _read(str(tmp_path))
    assert {(d.title, d.fact("split")) for d in documents} == {
        ("train?", "train"),
        ("dev?", "validation"),
        ("test?", "test"),
    }
    assert [d.id for d in documents if d.title == "train?"] == ["train-1", "train-2"]
    assert len({d.id for d in documents}) == 6
    assert {d.title for d in _read(str(tmp_path), splits=("validation",))} == {"dev?"}
    with pytest.raises(SourceError, match="has no split 'held-out'; its splits are: train"):
        _read(str(tmp_path), splits=("held-out",))


def test_a_configuration(tmp_path: Path, write_jsonl: Write) -> None:
    write_jsonl("corpus.jsonl", [{"question": "First?", "answer": "Yes."}])
    write_jsonl("other.jsonl", [{"question": "Second?", "answer": "Yes."}])
    configs = "".join(
        f"- config_name: {n}\n  data_files:\n  - split: all\n    path: {n}.jsonl\n" for n in ("corpus", "other")
    )
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n{configs}---\n", "utf-8")
    documents = _read(str(tmp_path), config="other")
    assert [(d.title, d.fact("split")) for d in documents] == [("Second?", "all")]
    with pytest.raises(SourceError, match=r"configuration gone\) cannot be read"):
        _read(str(tmp_path), config="gone")


def test_paths_are_relative_to_the_recipe(tmp_path: Path, write_jsonl: Write) -> None:
    write_jsonl("train.jsonl", [{"question": "What?", "answer": "That."}])
    source = HubSource(dataset=tmp_path.name, fields=FIELDS).relative_to(tmp_path.parent)
    assert [d.title for d in source.documents(Rejects(None))] == ["What?"]
    assert source.release().url is None
    before = source.inputs()
    assert list(before) == [tmp_path.name]
    write_jsonl("train.jsonl", [{"question": "Who?", "answer": "They."}])
    assert source.inputs() != before


def test_fields_that_are_not_there(tmp_path: Path, write_jsonl: Write) -> None:
    write_jsonl("train.jsonl", [{"question": "What?", "answer": "secret"}])
    with pytest.raises(SourceError, match=r"no field 'body' \(set as fields.text\); its fields: question, answer") as caught:
        _read(str(tmp_path), fields={"text": "body"})
    assert "secret" not in str(caught.value)
    with pytest.raises(SourceError, match=r"set fields\.text, title or sections to one of its fields: question, answer"):
        _read(str(tmp_path), fields={"group": "question"})
    with pytest.raises(SourceError, match=r"no field 'when' \(set as fields.metadata.date\)"):
        _read(str(tmp_path), fields=FIELDS | {"metadata": {"date": "when"}})
    with pytest.raises(ValidationError, match="fields"):
        HubSource(dataset="owner/name")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"title": "list"}, "field 'list' holds list, expected text"),
        ({"sections": "list", "title": "word"}, r"field 'list' must be a list of \{heading, text\}"),
        ({"title": "word", "categories": "numbers"}, "field 'numbers' must be text or a list of texts"),
    ],
)
def test_bad_rows(tmp_path: Path, write_jsonl: Write, fields: dict[str, str], problem: str) -> None:
    write_jsonl("train.jsonl", [{"word": "word", "list": ["secret"], "numbers": [1]}])
    with pytest.raises(RowError, match=f"split train, row 1: {problem}") as caught:
        _read(str(tmp_path), fields=fields)
    assert "secret" not in str(caught.value)
    assert _read(str(tmp_path), fields=fields, on_error="skip") == []


def test_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"question": "secret', "utf-8")
    with pytest.raises(SourceError, match=r"cannot be read \(\w+\): check its name") as caught:
        _read(str(tmp_path))
    assert "secret" not in str(caught.value)
    assert not isinstance(caught.value, RowError)


def test_offline_says_so() -> None:
    with pytest.raises(SourceError, match="owner/name is on the hub, and HF_HUB_OFFLINE forbids to ask it"):
        _read("owner/name")
    with pytest.raises(SourceError, match="HF_HUB_OFFLINE"):
        HubSource(dataset="owner/name", fields=FIELDS).inputs()
    with pytest.raises(SourceError, match="HF_HUB_OFFLINE"):
        _read("owner/name", revision=COMMIT)


def test_a_commit_needs_no_network() -> None:
    source = HubSource(dataset="owner/name", fields=FIELDS, revision=COMMIT)
    assert source.inputs() == {"owner/name": COMMIT}
    assert source.release().version == COMMIT
    assert source.release().url == "https://huggingface.co/datasets/owner/name"
    assert source.name == "name"


class _Hub(BaseHTTPRequestHandler):
    """A hub with one data set, whose main branch is at :data:`COMMIT`."""

    def do_GET(self) -> None:
        known = self.path.startswith(("/api/datasets/owner/name/revision/main", "/api/datasets/owner/name?")) or (
            self.path == "/api/datasets/owner/name"
        )
        body = json.dumps({"id": "owner/name", "sha": COMMIT} if known else {"error": "not found"}).encode()
        self.send_response(200 if known else 404)
        if not known:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield
    server.shutdown()
    server.server_close()


def test_a_branch_is_resolved_to_its_commit(hub: None) -> None:
    assert HubRows("own", "owner/name").commit == COMMIT
    assert HubRows("own", "owner/name", revision="main").commit == COMMIT
    with pytest.raises(SourceError, match=r"source own: owner/gone cannot be read \(RepositoryNotFoundError\)"):
        _ = HubRows("own", "owner/gone").commit


def test_names_of_splits() -> None:
    assert [split_name(n) for n in ("Train", "dev", "valid", "validation", "test", "corpus")] == [
        "train",
        "validation",
        "validation",
        "validation",
        "test",
        "",
    ]
