"""The files of deploy/server, as far as they can be seen without containers."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient

from medloom.serve.config import ServeSettings
from medloom.serve.guard import PROBES
from medloom.serve.keys import VARIABLE

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "server"
KUBERNETES = DEPLOY / "kubernetes"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    found: dict[str, Any] = load(KUBERNETES / "deployment.yaml")["spec"]["template"]["spec"]
    return found


@pytest.fixture(scope="module")
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod["containers"]
    assert isinstance(found, dict)
    return found


def test_everything_is_listed() -> None:
    listed = load(KUBERNETES / "kustomization.yaml")["resources"]
    assert sorted(listed) == sorted(p.name for p in KUBERNETES.glob("*.yaml") if p.name != "kustomization.yaml")
    for name in listed:
        assert {"apiVersion", "kind", "metadata"} <= load(KUBERNETES / name).keys()


def test_the_image_runs_as_a_user_and_listens_where_it_is_looked_for() -> None:
    assert re.search(r"(?m)^USER 10001:10001$", DOCKERFILE)
    assert DOCKERFILE.index("USER 10001") < DOCKERFILE.index("ENTRYPOINT")
    assert 'ENTRYPOINT ["medloom", "serve", "--host", "0.0.0.0", "--port", "8000"]' in DOCKERFILE
    assert "127.0.0.1:8000/health" in DOCKERFILE
    copied = re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", DOCKERFILE)
    kept = {
        line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines() if line.startswith("!")
    }
    assert {word for line in copied for word in line.split()} == kept
    assert all((ROOT / name).exists() for name in kept)


def test_compose_gives_away_nothing() -> None:
    service = load(DEPLOY / "compose.yaml")["services"]["medloom"]
    assert all(str(port).startswith("127.0.0.1:") for port in service["ports"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["user"] == "10001:10001"
    assert ":?" in service["environment"][VARIABLE]
    assert all(volume.endswith(":ro") for volume in service["volumes"])
    assert (DEPLOY / service["build"]["context"]).resolve() == ROOT
    assert (ROOT / service["build"]["dockerfile"]).is_file()


def test_the_pod_has_no_more_rights_than_it_needs(pod: dict[str, Any], container: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"].keys() == {"cpu", "memory"}
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp"}
    assert container["envFrom"] == [{"secretRef": {"name": "medloom-keys"}}]
    assert VARIABLE in (KUBERNETES / "kustomization.yaml").read_text("utf-8")


def test_probes_ask_paths_that_need_no_key(container: dict[str, Any], client: TestClient) -> None:
    paths = {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert paths == PROBES
    assert container["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert all(client.get(path).status_code in (200, 503) for path in paths)
    assert {container[probe]["httpGet"]["port"] for probe in ("startupProbe", "livenessProbe")} == {"http"}
    assert container["ports"] == [{"name": "http", "containerPort": 8000}]


def test_the_end_has_time_to_drain(pod: dict[str, Any], container: dict[str, Any]) -> None:
    drain = ServeSettings().drain_seconds
    (_, pause) = container["lifecycle"]["preStop"]["exec"]["command"]
    assert pod["terminationGracePeriodSeconds"] >= drain + int(pause) + 10
    assert int(load(DEPLOY / "compose.yaml")["services"]["medloom"]["stop_grace_period"].rstrip("s")) >= drain + 10


def test_service_and_policies_mean_the_same_pods() -> None:
    labels = load(KUBERNETES / "deployment.yaml")["spec"]["template"]["metadata"]["labels"]
    assert load(KUBERNETES / "service.yaml")["spec"]["selector"] == labels
    assert load(KUBERNETES / "network-policy.yaml")["spec"]["podSelector"]["matchLabels"] == labels
    assert load(KUBERNETES / "disruption-budget.yaml")["spec"]["selector"]["matchLabels"] == labels
    assert load(KUBERNETES / "network-policy.yaml")["spec"]["egress"] == []


@pytest.mark.parametrize("path", [p for p in DEPLOY.rglob("*") if p.is_file()], ids=lambda path: path.name)
def test_no_secret_stands_in_a_file(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"\b[0-9a-f]{32,}\b", text)
    values = re.findall(rf"{VARIABLE}\"?\s*[:=]\s*(\S+)", text)
    assert all(value.startswith(("$", '"$(', "${")) for value in values), values
