"""The files of deploy/llm, as far as they can be seen without a GPU and without containers."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from medloom.generate.config import GenerateConfig
from medloom.generate.endpoint import OpenAIChat

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "llm"
COMPOSE = sorted(DEPLOY.glob("compose*.yaml"))
SIZES = sorted((DEPLOY / "sizes").glob("*.env"))
BYTES_PER_TOKEN_70B = 2 * 80 * 8 * 128 * 2


def services(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text("utf-8"))["services"]
    return found


def settings(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Z_]+=\S+", line) for line in lines)
    return dict(line.split("=", 1) for line in lines)


def pod() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "runpod" / "pod-template.json").read_text("utf-8"))
    return found


def test_there_is_something_to_look_at() -> None:
    assert [path.name for path in COMPOSE] == ["compose.llama.yaml", "compose.ollama.yaml", "compose.yaml"]
    assert len(SIZES) >= 3


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_ports_are_open_to_this_machine_alone(path: Path) -> None:
    for name, service in services(path).items():
        assert service["ports"], name
        assert all(str(port).startswith("127.0.0.1:") for port in service["ports"]), name
        assert service.get("network_mode") != "host", name


@pytest.mark.parametrize("path", [p for p in DEPLOY.rglob("*") if p.is_file()], ids=lambda path: path.name)
def test_no_secret_stands_in_a_file(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"\b(hf_[A-Za-z0-9]{10,}|sk-[A-Za-z0-9]{10,}|rpa_[A-Za-z0-9]{10,})", text)
    secrets = re.findall(r"(?m)^[^#\n]*?\b\w*(?:TOKEN|API_KEY)\"?\s*[:=](?!\?)\s*(\S.*)$", text)
    assert all(re.match(r'"?(\$\{|\{\{ RUNPOD_SECRET_|\$\()', secret) for secret in secrets), secrets


def test_the_gpu_server_does_not_start_without_a_key_and_keeps_its_weights() -> None:
    service = services(DEPLOY / "compose.yaml")["llm"]
    assert ":?" in service["environment"]["VLLM_API_KEY"]
    assert ":?" in service["environment"]["MODEL"]
    assert service["volumes"] == ["models:/root/.cache/huggingface"]
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert "HEALTHCHECK" in (DEPLOY / "Dockerfile").read_text("utf-8")


@pytest.mark.parametrize("path", SIZES, ids=lambda path: path.name)
def test_a_size_sets_only_what_the_compose_file_reads(path: Path) -> None:
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    found = settings(path)
    assert {"MODEL", "TENSOR_PARALLEL_SIZE"} <= found.keys()
    assert all("${" + name in text for name in found)
    assert 64 % int(found["TENSOR_PARALLEL_SIZE"]) == 0, "the heads of attention are dealt out evenly"


def test_the_small_servers_take_whole_notes() -> None:
    ollama = services(DEPLOY / "compose.ollama.yaml")["ollama"]["environment"]
    assert int(ollama["OLLAMA_CONTEXT_LENGTH"]) >= needed_context()
    llama = services(DEPLOY / "compose.llama.yaml")["llama"]["environment"]
    size, parallel = (
        int(re.findall(r"\d+", str(llama[name]))[0]) for name in ("LLAMA_ARG_CTX_SIZE", "LLAMA_ARG_N_PARALLEL")
    )
    assert size // parallel >= needed_context()


def needed_context() -> int:
    """Tokens of the longest note that is shown by default, the words around it, and the longest answer."""
    config = GenerateConfig()
    return int(config.max_words * 1.65) + 600 + config.max_tokens


def serve(tmp_path: Path, *args: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    fake = tmp_path / "vllm"
    fake.write_text('#!/bin/sh\nfor one in "$@"; do echo "$one"; done\n', encoding="utf-8")
    fake.chmod(0o755)
    return subprocess.run(
        ["sh", str(DEPLOY / "serve.sh"), *args],
        env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_the_script_hands_its_settings_to_vllm(tmp_path: Path) -> None:
    done = serve(tmp_path, "--seed", "1 2", MODEL="org/a model", VLLM_API_KEY="k", TENSOR_PARALLEL_SIZE="2")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[:2] == ["serve", "org/a model"]
    assert said[said.index("--tensor-parallel-size") + 1] == "2"
    assert said[said.index("--served-model-name") + 1] == "llama-3.1-70b"
    assert said[-2:] == ["--seed", "1 2"]
    assert "--no-enable-log-requests" in said
    assert "k" not in said, "a key on the command line is seen by whoever lists the processes"
    assert int(said[said.index("--max-model-len") + 1]) >= needed_context()


@pytest.mark.parametrize("missing", ["MODEL", "VLLM_API_KEY"])
@pytest.mark.parametrize("value", [None, ""])
def test_the_script_says_what_is_missing(tmp_path: Path, missing: str, value: str | None) -> None:
    environment = {"MODEL": "m", "VLLM_API_KEY": "k"}
    environment.pop(missing)
    done = serve(tmp_path, **environment, **({} if value is None else {missing: value}))
    assert done.returncode != 0
    assert missing in done.stderr
    assert not done.stdout


def test_the_pod_is_the_same_server() -> None:
    found = pod()
    (tag,) = re.findall(r"(?m)^ARG VLLM_TAG=(\S+)$", (DEPLOY / "Dockerfile").read_text("utf-8"))
    assert found["imageName"] == f"vllm/vllm-openai:{tag}"
    command = found["dockerStartCmd"]
    assert command[0] == settings(DEPLOY / "sizes" / "one-80gb.env")["MODEL"]
    assert all(isinstance(word, str) for word in command)
    assert "--no-enable-log-requests" in command
    assert found["ports"] == ["8000/http"]
    assert found["env"]["HF_HOME"].startswith(found["volumeMountPath"]), "weights outlive the container"
    assert found["isPublic"] is False
    assert settings(DEPLOY / "runpod" / "serverless.env")["MODEL_NAME"] == command[0]


def test_figures_of_the_page_are_those_of_the_model() -> None:
    """Weights of 4 bits with a scale for each 128, embeddings and head in 16; keys and values in 16."""
    page = (ROOT / "docs" / "llm-server.md").read_text("utf-8")
    embeddings = 2 * 128256 * 8192
    weights = (70.55e9 - embeddings) * 4.25 / 8 + embeddings * 2
    assert round(weights / 1e9) == 41
    assert "about 41 GB" in page
    assert f"{BYTES_PER_TOKEN_70B / 1e6:.2f} MB" in page
    free = 80 * 0.92 - weights / 1e9 - 4
    assert round(free / (BYTES_PER_TOKEN_70B / 1e9), -4) == 90_000
    assert "some 90,000 tokens" in (DEPLOY / "sizes" / "one-80gb.env").read_text("utf-8")
    assert "some 90,000 tokens" in page


def test_addresses_of_the_page_open() -> None:
    page = (ROOT / "docs" / "llm-server.md").read_text("utf-8")
    addresses = set(re.findall(r"openai:https?://[^\s`\"]+", page))
    assert len(addresses) >= 4
    for address in addresses - {"openai:http://HOST/v1#MODEL"}:
        assert OpenAIChat(address).host
