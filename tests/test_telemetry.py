"""Tests that rerank contacts only configured hosts, and writes only its cache to the home directory."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.models import tiny

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
STARTUP_SECONDS = 120
LOOPBACK = {"127.0.0.1", "::1", "localhost"}

PYTHON_RECORDER = """
import os, sys

def _record(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    with open(os.environ["CONTACTED_HOSTS"], "a") as file:
        print(host.decode() if isinstance(host, bytes) else host, file=file)

sys.addaudithook(_record)
"""
"""Source of a sitecustomize module that records the hosts of lookups and connections by Python code."""

NATIVE_RECORDER = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

static void record(const char *host) {
    const char *path = getenv("CONTACTED_HOSTS");
    FILE *file = host && path ? fopen(path, "a") : NULL;
    if (file) { fprintf(file, "%s\n", host); fclose(file); }
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, __func__);
    record(host);
    return next(host, service, hints, found);
}

struct hostent *gethostbyname(const char *host) {
    struct hostent *(*next)(const char *) = dlsym(RTLD_NEXT, __func__);
    record(host);
    return next(host);
}

int connect(int socket, const struct sockaddr *address, socklen_t length) {
    int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, __func__);
    char host[INET6_ADDRSTRLEN];
    if (address->sa_family == AF_INET)
        record(inet_ntop(AF_INET, &((const struct sockaddr_in *) address)->sin_addr, host, sizeof host));
    if (address->sa_family == AF_INET6)
        record(inet_ntop(AF_INET6, &((const struct sockaddr_in6 *) address)->sin6_addr, host, sizeof host));
    return next(socket, address, length);
}
"""
"""Source of a preloaded library that records the hosts of lookups and connections by native code."""


@dataclass(frozen=True)
class Sandbox:
    """Working directory, home directory, and environment that records contacted hosts."""

    folder: Path
    home: Path
    recorded: Path
    environment: Mapping[str, str]

    def command(self, *arguments: str) -> list[str]:
        """Returns the command that runs rerank-cli with *arguments*."""
        return [sys.executable, "-m", "rerank.cli", *arguments]

    def run(self, *arguments: str) -> str:
        """Runs rerank-cli with *arguments*, which must succeed, and returns the standard output."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Runs `rerank-cli serve` until the end of the block, and yields its URL once it is ready."""
        log = self.folder / "log"
        with log.open("wb") as stream:
            command = self.command("serve", "--port", "0")
            process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=stream, stderr=stream)
        try:
            deadline = time.monotonic() + STARTUP_SECONDS
            while not (url := _ready_url(log)):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()
            process.wait(60)

    def hosts(self) -> set[str]:
        """Returns the hosts of all lookups and connections."""
        return set(self.recorded.read_text(encoding="utf-8").splitlines())

    def home_files(self) -> list[str]:
        """Returns the files in the home directory, without those of the cache."""
        paths = (path.relative_to(self.home) for path in self.home.rglob("*") if path.is_file())
        return sorted(str(path) for path in paths if path.parts[:2] != (".cache", "rerank"))


def _ready_url(log: Path) -> str:
    """Returns the URL of the service once it is ready, else an empty string."""
    url = re.search(r"http://127\.0\.0\.1:\d+", log.read_text(encoding="utf-8"))
    if not url:
        return ""
    try:
        with urllib.request.urlopen(f"{url[0]}/ready"):
            return url[0]
    except OSError:
        return ""


def _preloaded(folder: Path) -> dict[str, str]:
    """Returns the variable that preloads the native recorder, or nothing without a C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        return {}
    (folder / "recorder.c").write_text(NATIVE_RECORDER)
    command = [compiler, "-shared", "-fPIC", "-o", "recorder.so", "recorder.c", "-ldl"]
    subprocess.run(command, cwd=folder, check=True)
    return {"LD_PRELOAD": str(folder / "recorder.so")}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """Returns a sandbox with a small corpus and the settings of tiny models."""
    root = tmp_path_factory.mktemp("sandbox")
    folder, home, recorder = root / "work", root / "home", root / "recorder"
    for directory in (folder, home, recorder):
        directory.mkdir()
    (recorder / "sitecustomize.py").write_text(PYTHON_RECORDER)
    (root / "hosts").touch()
    documents = [{"_id": str(i), "text": text} for i, text in enumerate(["warm green tea", "the cat", "a long dog"])]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, documents)))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join([str(recorder), str(ROOT)]),
        "CONTACTED_HOSTS": str(root / "hosts"),
        "RERANK_ENCODER": str(tiny.bert(root / "encoder")),
        "RERANK_RERANKER": str(tiny.bert(root / "reranker", labels=1)),
        **_preloaded(recorder),
    }
    return Sandbox(folder, home, root / "hosts", environment)


def test_commands_contact_only_loopback_and_write_only_the_cache(sandbox: Sandbox) -> None:
    """ingest, search, models convert and serve send no telemetry and leave no files outside ~/.cache/rerank."""
    sandbox.run("ingest", "corpus.jsonl", "--index", "docs")
    assert json.loads(sandbox.run("search", "tea", "--index", "docs", "--json"))["rerank"]["applied"]
    sandbox.run("models", "convert")
    with sandbox.serving() as url, urllib.request.urlopen(f"{url}/search?q=tea&index=docs") as response:
        assert json.load(response)["rerank"]["applied"]
    assert sandbox.hosts() <= LOOPBACK
    assert sandbox.home_files() == []


PYTHON_LOOKUP = "import socket; socket.getaddrinfo('192.0.2.1', 443)"
NATIVE_LOOKUP = (
    "import ctypes; ctypes.CDLL(None).getaddrinfo(b'192.0.2.1', b'443', None, ctypes.byref(ctypes.c_void_p()))"
)


@pytest.mark.parametrize("program", [PYTHON_LOOKUP, NATIVE_LOOKUP])
def test_lookup_is_recorded(sandbox: Sandbox, tmp_path: Path, program: str) -> None:
    """The recorders see lookups by Python and by native code, so the test above can fail."""
    if program == NATIVE_LOOKUP and "LD_PRELOAD" not in sandbox.environment:
        pytest.skip("native lookups are recorded on Linux with a C compiler")
    recorded = tmp_path / "hosts"
    environment = {**sandbox.environment, "CONTACTED_HOSTS": str(recorded)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert "192.0.2.1" in recorded.read_text(encoding="utf-8").splitlines()
