"""The seam itself: settings that change no artifact, options that fit together, and where text may not go."""

import sys
from pathlib import Path

import pytest

from medloom.cli import main
from medloom.cli.sharing import sharing_of
from medloom.deid.gate import GateError
from medloom.encode import cores
from medloom.engine import HERE, LocalEngine, Sharing, joined_cluster, open_engine
from medloom.errors import MedloomError, ModelError, SourceError
from medloom.recipe import Recipe
from medloom.sources.opened import OpenedDocuments
from medloom.stages import STAGES, check_gate

RECIPE = """
name: notes
sources: [{type: files, path: notes.jsonl}]
generate: {mode: extractive}
guard: {engine: ray, workers: 2}
"""
OTHERWISE = {"engine": "ray", "workers": 8, "worker_cores": 4, "worker_gpus": 0.5}


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a cluster of other tests, or of the user, leaves behind is not seen."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delitem(sys.modules, "ray", raising=False)


def _fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *args: str | Path) -> str:
    """What a command that the user can mend says."""
    monkeypatch.setattr(sys, "argv", ["medloom", *map(str, args)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_who_shares_the_work_changes_no_fingerprint() -> None:
    recipe = Recipe.parse(RECIPE)
    otherwise = recipe.shared_by(OTHERWISE)
    assert otherwise.guard.workers == otherwise.negatives.workers == 8
    assert otherwise.generate is not None and otherwise.generate.worker_gpus == 0.5
    for stage in STAGES:
        assert stage.settings(recipe) == stage.settings(otherwise), stage.name
    assert recipe.settings()["guard"]["engine"] == "ray"
    assert "engine" not in recipe.settings(sharing=False)["guard"]
    assert Recipe.parse("name: n\nsources: [{type: files, path: n.jsonl}]").shared_by(OTHERWISE).generate is None


def test_one_process_is_this_one() -> None:
    with open_engine(Sharing()) as engine:
        assert (engine.workers, engine.is_here) == (1, True)
        assert list(engine.in_order(lambda n: n + 1, [1, 2])) == [2, 3]
    assert HERE.is_here
    assert not LocalEngine(2).is_here


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("spark", None, None, None, None), "--engine spark: give local or ray"),
        ((None, 2, None, None, "head:6379"), "--address is for --engine ray"),
        (("local", 2, 4, None, None), "--worker-cores is for --engine ray"),
        (("local", 2, None, 1.0, None), "--worker-gpus is for --engine ray"),
    ],
)
def test_options_that_do_not_fit_together(given: tuple[str, int, int, float, str], message: str) -> None:
    with pytest.raises(MedloomError, match=message):
        sharing_of(*given)


def test_the_address_is_where_ray_looks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "local")
    assert not joined_cluster(sharing_of("ray", 2, None, None, None))
    assert sharing_of("ray", None, 2, 0.5, "head:6379") == Sharing(engine="ray", worker_cores=2, worker_gpus=0.5)
    assert joined_cluster(Sharing(engine="ray"))
    assert not joined_cluster(Sharing(workers=4))


def test_patient_text_goes_to_no_cluster_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe.parse(RECIPE)
    left_open = {"files": [3, 0]}
    check_gate(recipe, left_open, ["guard", "mine"])
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    check_gate(recipe, left_open, ["mine"])
    check_gate(recipe, {}, ["guard"])
    with pytest.raises(GateError, match=r"guard: source 'files' holds patient text.*to the machines of a cluster"):
        check_gate(recipe, left_open, ["guard"])
    with pytest.raises(GateError, match="mine: source 'files' does not say"):
        check_gate(recipe.shared_by(OTHERWISE), {"files": [0, 2]}, ["mine"])
    check_gate(Recipe.parse(f"{RECIPE}allow_phi_to: [cluster]"), left_open, ["guard"])


def test_commands_ask_before_text_goes_to_a_cluster(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.jsonl").write_text('{"text": "fever"}\n', "utf-8")
    (tmp_path / "pairs.jsonl").write_text('{"query": "hot", "positives": ["fever"]}\n', "utf-8")
    monkeypatch.setattr("medloom.engine.open_engine", lambda sharing: open_engine(Sharing()))
    monkeypatch.setenv("RAY_ADDRESS", "")
    on = ("--engine", "ray", "--address", "head:6379")
    said = _fails(
        monkeypatch, capsys, "encode", tmp_path / "notes.jsonl", "--model", tiny_model, "--out", tmp_path / "v", *on
    )
    assert "encode: source" in said
    assert "does not say whether its text is about patients" in said
    said = _fails(monkeypatch, capsys, "mine", tmp_path / "pairs.jsonl", "--out", tmp_path / "m.parquet", *on)
    assert "give --documents" in said
    mine = ("mine", tmp_path / "pairs.jsonl", "--out", tmp_path / "m.parquet", "--documents", tmp_path / "notes.jsonl")
    assert "mine: source" in _fails(monkeypatch, capsys, *mine, *on)
    said = _fails(monkeypatch, capsys, "generate", tmp_path / "notes.jsonl", "--out", tmp_path / "q", *on)
    assert "generate: source" in said


def test_a_server_is_asked_from_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = "openai:http://localhost:1/v1#m"
    said = _fails(
        monkeypatch,
        capsys,
        "encode",
        tmp_path,
        "--model",
        model,
        "--out",
        tmp_path / "v",
        "--engine",
        "local",
        "--workers",
        "2",
    )
    assert "a server is asked from this process alone" in said


def test_addresses_of_object_storage_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model = ("--model", "builtin:all-MiniLM-L6-v2")
    for args in (
        ("encode", "s3://bucket/notes.jsonl", *model, "--out", "v"),
        ("encode", "notes.jsonl", *model, "--out", "gs://bucket/v"),
        ("mine", "s3://bucket/pairs.parquet", "--out", "m.parquet"),
        ("mine", "pairs.parquet", "--out", "s3://bucket/m.parquet"),
        ("generate", "notes.jsonl", "--out", "abfs://bucket/q"),
        ("run", "quickstart", "--out", "s3://bucket/run"),
    ):
        assert "is an address, not a path" in _fails(monkeypatch, capsys, *args), args
    with pytest.raises(MedloomError, match="mount the storage"):
        OpenedDocuments(Path("s3://bucket/notes.parquet"))
    source = Recipe.parse("name: n\nsources: [{type: files, path: 's3://bucket/*.jsonl'}]").sources[0]
    with pytest.raises(MedloomError, match="an address, not a path"):
        source.inputs()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SourceError):
        OpenedDocuments(Path("s3"))


def test_cores_are_those_that_a_process_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cores.THREADS, "1")
    assert cores.usable_cores() == 1
    monkeypatch.setenv(cores.THREADS, "many")
    everything = cores.usable_cores()
    monkeypatch.delenv(cores.THREADS)
    assert cores.usable_cores() == everything >= 1
    monkeypatch.setenv(cores.THREADS, "1000")
    assert cores.usable_cores() == everything


def test_another_model_at_a_worker_is_an_error(tiny_model: Path) -> None:
    from medloom.encode import load_encoder
    from medloom.encode.spec import spec_of

    encoder = load_encoder(tiny_model)
    spec = spec_of(encoder, str(tiny_model), LocalEngine(64))
    assert (spec.model, spec.hash, spec.threads) == (str(tiny_model.resolve()), encoder.hash, 1)
    with pytest.raises(ModelError, match="is another one where a worker runs"):
        type(spec)(spec.model, "other", spec.precision, spec.backend).open()
