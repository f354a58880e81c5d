"""docker-compose.yml against its schema and the other files, its health checks and smoke.sh against a stand-in."""

import http.server
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

import pytest

from tfstyle.serving import config

yaml = pytest.importorskip("yaml")
MODELS = ("arbitrary", "gatys")


@pytest.fixture(scope="module")
def compose(read):
    return yaml.safe_load(read("docker-compose.yml"))


def test_schema(read, batching_on, tmp_path):
    pytest.importorskip("check_jsonschema")
    text = read("docker-compose.yml")
    broken = text.replace("mem_limit", "memory_limit")
    for name, content in (("plain", text), ("batching", batching_on(text)), ("broken", broken)):
        (tmp_path / f"{name}.yml").write_text(content)
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, "plain.yml", "batching.yml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([*command, "broken.yml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "memory_limit" in done.stdout


def test_a_server_for_each_model(compose, deploy, flags_of):
    taken = []
    assert sorted(compose["services"]) == sorted(MODELS)
    for model, service in compose["services"].items():
        assert service["image"] == config.IMAGE and service["entrypoint"] == ["tensorflow_model_server"]
        flags = flags_of(service["command"])
        assert flags["model_config_file"] == f"/config/{model}.config"
        assert "enable_batching" not in flags
        assert set(service["volumes"]) == {"../saved_models:/models:ro", ".:/config:ro"}
        for flag in ("model_config_file", "monitoring_config_file"):
            assert (deploy / pathlib.PurePath(flags[flag]).relative_to("/config")).is_file()
        assert service["read_only"] and service["user"] == "65534:65534" and service["cap_drop"] == ["ALL"]
        assert re.fullmatch(r"\d+g", service["mem_limit"])
        for published in service["ports"]:
            address, outside, inside = published.split(":")
            assert address == "127.0.0.1" and inside in (flags["port"], flags["rest_api_port"])
            taken.append(outside)
    assert len(set(taken)) == len(taken) == 4


def test_batching_is_for_arbitrary_alone(read, batching_on, flags_of):
    services = yaml.safe_load(batching_on(read("docker-compose.yml")))["services"]
    flags = flags_of(services["arbitrary"]["command"])
    assert flags["enable_batching"] == "true" and flags["batching_parameters_file"] == "/config/batching.config"
    assert "enable_batching" not in flags_of(services["gatys"]["command"])


class Server(http.server.BaseHTTPRequestHandler):
    """Answers as TensorFlow Serving would; `told` is what the test has set."""

    def do_GET(self):  # noqa: N802
        known = self.path in {f"/v1/models/{model}" for model in MODELS}
        state = self.server.told["state"] if known else "unknown"
        self._answer(200 if known else 404, f'{{"model_version_status": [{{"state": "{state}"}}]}}')

    def do_POST(self):  # noqa: N802
        self.server.told["posted"].append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer(self.server.told["code"], '{ "error": "It is neither JPEG nor PNG." }')

    def _answer(self, code, text):
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as made:
        made.told = {"state": "AVAILABLE", "code": 400, "posted": []}
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_health_checks(compose, server):
    for service in compose["services"].values():
        kind, *command = service["healthcheck"]["test"]
        assert kind == "CMD" and "/8501;" in command[-1]
        here = [*command[:-1], command[-1].replace("/8501;", f"/{server.server_port};")]

        def healthy(words):
            return subprocess.run(words, capture_output=True).returncode == 0

        server.told["state"] = "LOADING"
        assert not healthy(here)
        server.told["state"] = "AVAILABLE"
        assert healthy(here)
        assert not healthy([*here[:-1], here[-1].replace("/v1/models/", "/v1/models/no-")])
        assert not healthy([*command[:-1], command[-1].replace("/8501;", "/1;")])  # nobody listens


def smoke(deploy, tmp_path, *urls, paints=True):
    """Runs smoke.sh with a command line that notes its words and writes a picture, or fails."""
    tool = tmp_path / "tfstyle"
    tool.write_text(
        f"#!/bin/sh\necho \"$@\" >> {tmp_path}/words\n"
        + ("while [ $# -gt 0 ]; do [ \"$1\" = -o ] && echo picture > \"$2\"; shift; done\n" if paints else "exit 1\n")
    )
    tool.chmod(0o755)
    return subprocess.run(
        [deploy / "smoke.sh", *urls], capture_output=True, text=True, env=os.environ | {"TFSTYLE": str(tool)}
    )


@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="needs bash and curl")
def test_smoke(deploy, tmp_path, server):
    url = f"http://127.0.0.1:{server.server_port}"
    done = smoke(deploy, tmp_path, url, url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("ok  gatys paints\nAll is well.\n")
    words = [line.split() for line in (tmp_path / "words").read_text().splitlines()]
    methods = [["--method", "fast"], ["--method", "optimize", "--steps", "5"]]
    for line, method in zip(words, methods, strict=True):
        assert line[0] == "client" and all(pathlib.Path(picture).is_file() for picture in line[1:3])
        assert line[3] == "-o" and line[5:] == ["--size", "96", "--url", url, "--label", "stable", *method]
    assert [path for path, _ in server.told["posted"]] == [f"/v1/models/{m}/labels/stable:predict" for m in MODELS]
    for _, body in server.told["posted"]:
        assert yaml.safe_load(body)["inputs"].keys() > {"content_bytes", "style_bytes"}

    assert smoke(deploy, tmp_path, "-", url).stdout.count("paints") == 1
    done = smoke(deploy, tmp_path, url, "-", paints=False)
    assert done.returncode == 1 and done.stderr == "FAILED: tfstyle client could not paint with arbitrary.\n"
    server.told["code"] = 200
    assert "answered 200 to bytes that are no picture" in smoke(deploy, tmp_path, url).stderr
    server.told["state"] = "LOADING"
    done = smoke(deploy, tmp_path, url)
    assert done.returncode == 1 and "has no version of the model arbitrary that is AVAILABLE" in done.stderr
