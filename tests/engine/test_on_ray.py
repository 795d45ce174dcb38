"""Workers of a real cluster of two: in order, nothing lost or twice when one is killed, and nothing said of the text."""

import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.engine.cluster_functions import SECRET, always_dies, dies_once, fails, process, squared, surroundings
from tests.engine.conftest import KillAfter, listened_on

from medloom.engine import Engine, Sharing, open_engine
from medloom.errors import ClusterError, MedloomError, WorkerError


def test_results_come_in_order_from_two_other_processes(cluster: Engine) -> None:
    assert list(cluster.in_order(squared, range(40))) == [n * n for n in range(40)]
    assert list(cluster.in_order(squared, [])) == []
    others = set(cluster.in_order(process, range(40)))
    assert len(others) == 2
    assert os.getpid() not in others
    assert (cluster.workers, cluster.is_here) == (2, False)


def test_items_are_taken_as_the_work_goes_on(cluster: Engine) -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(1_000):
            taken.append(number)
            yield number

    results = cluster.in_order(squared, items())
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    assert len(taken) < 30
    results.close()  # type: ignore[attr-defined]


def test_workers_that_are_killed_are_replaced(cluster: Engine, kill_after: KillAfter, tmp_path: Path) -> None:
    assert list(cluster.in_order(partial(dies_once, folder=tmp_path), range(30))) == list(range(30))
    assert {path.name for path in tmp_path.iterdir()} == {"2", "5"}
    killed = kill_after(5)
    pids = list(cluster.in_order(process, range(60)))
    assert len(pids) == 60
    assert len(set(pids)) == 3
    assert not psutil.pid_exists(killed[0]) or psutil.Process(killed[0]).status() == psutil.STATUS_ZOMBIE


def test_an_item_that_kills_every_worker_ends_the_work(cluster: Engine) -> None:
    with pytest.raises(WorkerError, match=r"loss of its process or machine at part 2 of the work"):
        list(cluster.in_order(always_dies, range(10)))


def test_errors_of_ours_come_through_and_others_say_nothing_of_the_text(cluster: Engine) -> None:
    with pytest.raises(MedloomError, match="file, line 3: is bad"):
        list(cluster.in_order(partial(fails, how="ours"), [SECRET]))
    with pytest.raises(ClusterError, match=r"ended in a ValueError at cluster_functions\.py:\d+") as caught:
        list(cluster.in_order(partial(fails, how="other"), [f"{SECRET} {number}" for number in range(4)]))
    assert SECRET not in str(caught.value)


def test_ray_writes_no_text_and_reports_no_use(cluster: Engine) -> None:
    import ray

    with pytest.raises(ClusterError):
        list(cluster.in_order(partial(fails, how="other"), [f"{SECRET} of the logs"]))
    node: Any = ray._private.worker._global_node
    session = Path(node.get_session_dir_path())
    logs = [path for path in session.rglob("*") if path.is_file() and path.stat().st_size < 50_000_000]
    assert logs
    assert not [path for path in logs if SECRET.encode() in path.read_bytes()]
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    (found,) = set(cluster.in_order(surroundings, range(4)))
    assert found == ("1", "", "0")


def test_the_cluster_listens_on_loopback_alone_and_has_no_dashboard(cluster: Engine) -> None:
    import ray

    found = listened_on()
    assert {ip.removeprefix("::ffff:") for ip, _ in found} == {"127.0.0.1"}, found
    node: Any = ray._private.worker._global_node
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
    assert node.address_info["webui_url"] in ("", None)


def test_a_folder_that_workers_do_not_see_is_an_error(cluster: Engine, tmp_path: Path) -> None:
    missing = tmp_path / "elsewhere" / "pairs.parquet"
    with pytest.raises(ClusterError, match=r"does not see .*pairs\.parquet: .* under the same path"):
        list(cluster.in_order(squared, range(3), (tmp_path, missing)))
    assert list(cluster.in_order(squared, range(3), (tmp_path,))) == [0, 1, 4]


def test_other_versions_are_an_error(cluster: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medloom.engine.on_ray.__version__", "99.0")
    with pytest.raises(ClusterError, match=r"has medloom .*, not 99\.0: install the same on every machine"):
        list(cluster.in_order(squared, range(3)))


def test_more_workers_than_the_cluster_has_room_for(cluster: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_engine(Sharing(engine="ray", workers=3)) as engine:
        assert list(engine.in_order(squared, range(9))) == [n * n for n in range(9)]
    monkeypatch.setattr("medloom.engine.on_ray._ROOM", 2.0)
    with (
        open_engine(Sharing(engine="ray", workers=1, worker_cores=3)) as engine,
        pytest.raises(ClusterError, match="no room"),
    ):
        list(engine.in_order(squared, range(3)))


def test_a_cluster_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from medloom.engine import on_ray

    def refuses(**settings: Any) -> None:
        assert settings["address"] == "head:6379"
        assert "num_cpus" not in settings
        raise ConnectionError("ray client\nwith a long story")

    class Library:
        init = staticmethod(refuses)
        is_initialized = staticmethod(lambda: False)

    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    monkeypatch.setattr(on_ray, "ray_library", lambda: Library)
    with pytest.raises(ClusterError, match=r"cluster at head:6379 cannot be joined \(ConnectionError: ray client\)"):
        open_engine(Sharing(engine="ray")).__enter__()


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r"pip install 'medloom\[ray\]'"):
        open_engine(Sharing(engine="ray", workers=2)).__enter__()
