"""Static checks of docker-compose.yml and the Dockerfile, because tests can run without Docker."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import yaml

from rerank.cli.main import cli
from rerank.core.settings import Settings
from rerank.core.settings_loading import PREFIX

ROOT = Path(__file__).resolve().parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
VARIABLES = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
SERVICE_KEYS = {
    "image",
    "build",
    "command",
    "environment",
    "ulimits",
    "volumes",
    "ports",
    "healthcheck",
    "depends_on",
    "restart",
    "profiles",
}


def check_command(words: list[str]) -> None:
    """Asserts that *words* are a rerank-cli command with existing flags."""
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None, words
    flags = {flag for parameter in command.params for flag in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= flags


def test_services_and_keys_are_known() -> None:
    """The services are OpenSearch, the service and a one-shot ingest. All keys are in the compose specification."""
    services = COMPOSE["services"]
    assert set(services) == {"elasticsearch", "opensearch", "service", "ingest"}
    assert set(COMPOSE) == {"services", "volumes"}
    for service in services.values():
        assert set(service) <= SERVICE_KEYS
        assert "image" in service
        for dependency, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}
            assert "healthcheck" in services[dependency]
    assert services["ingest"]["profiles"] == ["ingest"]
    assert services["service"]["build"] == services["ingest"]["build"] == "."
    assert services["opensearch"]["image"].startswith("opensearchproject/opensearch:3.")
    assert services["opensearch"]["environment"]["DISABLE_SECURITY_PLUGIN"] == "true"


def test_commands_and_variables_exist() -> None:
    """Every rerank-cli command, flag and RERANK_ variable in the file exists."""
    for name in ("service", "ingest"):
        service = COMPOSE["services"][name]
        check_command(service["command"])
        assert set(service["environment"]) <= VARIABLES
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"RERANK_[A-Z_]+", text)) <= VARIABLES


def test_volumes_are_declared_and_ports_are_local() -> None:
    """Ports are published only on the loopback interface."""
    services = COMPOSE["services"]
    named = {volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    assert {name for name in named if not name.startswith(".")} == set(COMPOSE["volumes"])
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert services["service"]["environment"]["RERANK_STORE"] == "http://opensearch:9200"


def test_image_copies_existing_files_and_does_not_run_as_root() -> None:
    """The entry point is rerank-cli."""
    for line in re.findall(r"^COPY (.*)$", DOCKERFILE, re.MULTILINE):
        assert [name for name in line.split()[:-1] if not (ROOT / name).exists()] == []
    copied = {line.split()[0] for line in re.findall(r"^COPY (\w+) \w+$", DOCKERFILE, re.MULTILINE)}
    assert copied == {"core", "index", "models", "ingest", "service", "cli", "rerank"}
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["rerank"]
    assert 'ENTRYPOINT ["rerank-cli"]' in DOCKERFILE
    assert set(re.findall(r"RERANK_[A-Z_]+", DOCKERFILE)) <= VARIABLES
    assert "HEALTHCHECK" in DOCKERFILE
    check_command(["serve"])
