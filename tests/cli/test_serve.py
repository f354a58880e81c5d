"""tfstyle serve: a stand-in for the server on the PATH, none on the PATH, and what is refused."""

import os
import pathlib
import shlex
import subprocess
import sys

import pytest

from tfstyle.cli import main, serve
from tfstyle.serving import config


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder of both models, in which there is no server on the PATH; configurations go to tmp_path too."""
    for name in ("arbitrary", "gatys"):
        (tmp_path / "my models" / name / "1").mkdir(parents=True)
        (tmp_path / "my models" / name / "1" / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "my models"


@pytest.fixture
def server(models):
    """A server that writes its arguments, one to a line, and the models.config it is given, and ends with 7."""
    path = models.parent / "bin" / serve.SERVER
    path.write_text(f"""#!{sys.executable}
import os, sys
print(os.getpid(), *sys.argv[1:], sep="\\n")
print(open(dict(word.split("=", 1) for word in sys.argv[1:])["--model_config_file"]).read())
sys.exit(7)
""")
    path.chmod(0o755)
    return path


def started(*words):
    """A process of the command line: exit code, process, flags of the server, its models.config, stderr."""
    code = "import sys; from tfstyle.cli import main; sys.exit(main(sys.argv[1:]))"
    with subprocess.Popen(
        [sys.executable, "-c", code, "serve", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as child:
        out, err = child.communicate()
    lines = out.splitlines()
    flags = [line for line in lines if line.startswith("--")]
    text = "\n".join(lines[1 + len(flags):]).strip() + "\n"
    return child.returncode, lines[:1] == [str(child.pid)], flags, text, err


def test_the_server_takes_our_place(models, server):
    code, same_process, flags, text, err = started("--models", "my models")
    assert code == 7 and same_process
    (where,) = models.parent.glob("tfstyle-serve-*")
    assert flags == config.server_flags(str(where))
    assert [path.name for path in where.iterdir()] == ["models.config"]
    assert text == config.models_config({"arbitrary": 1, "gatys": 1}, str(models))
    assert err == (
        "tfstyle: tensorflow_model_server serves arbitrary 1, gatys 1 by REST on port 8501 and by gRPC on port 8500, "
        "on every address of this machine.\n"
    )


def test_all_flags(models, server):
    code, same_process, flags, text, err = started(
        "--models", str(models), "--only", "arbitrary", "--batching", "--rest-port", "9001", "--grpc-port=9000",
        "--timeout", "2.5", "--config", "conf/here",
    )
    where = models.parent / "conf" / "here"
    assert code == 7 and same_process and "arbitrary 1 by REST on port 9001" in err
    assert flags == config.server_flags(str(where), rest_port=9001, grpc_port=9000, timeout=2.5, batching=True)
    assert text == config.models_config({"arbitrary": 1}, str(models))
    assert sorted(path.name for path in where.iterdir()) == ["batching.config", "models.config"]
    assert (where / "batching.config").read_text() == config.BATCHING


def test_a_server_that_cannot_run(models, server, monkeypatch, capsys):
    def refuse(*args):
        raise OSError(8, "Exec format error")

    monkeypatch.setattr(os, "execvp", refuse)
    assert main(["serve", "--models", str(models)]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "tfstyle: tensorflow_model_server cannot be started: Exec format error."
    )


def test_without_a_server_docker_is_told(models, capsys):
    assert main(["serve", "--models", "my models", "--rest-port", "9001", "--config", "conf"]) == 1
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1
    before, line = told.err.strip().split("Docker has it: ")
    assert before == "tfstyle: tensorflow_model_server is not on the PATH; "
    words = shlex.split(line)
    image = words.index(config.IMAGE)
    assert words[:2] == ["docker", "run"]
    assert [words[i + 1] for i in range(image) if words[i] == "-p"] == ["127.0.0.1:9001:9001", "127.0.0.1:8500:8500"]
    conf = models.parent / "conf"
    assert [words[i + 1] for i in range(image) if words[i] == "-v"] == [f"{models}:/models:ro", f"{conf}:/config:ro"]
    assert words[image - 2:image] == ["--entrypoint", serve.SERVER]
    assert words[image + 1:] == config.server_flags("/config", rest_port=9001)
    text = (conf / "models.config").read_text()
    assert text == config.models_config({"arbitrary": 1, "gatys": 1}, "/models")


def test_a_container_can_read_the_temporary_folder(models, capsys):
    assert main(["serve", "--models", str(models)]) == 1
    (where,) = models.parent.glob("tfstyle-serve-*")
    assert f"-v {where}:/config:ro" in capsys.readouterr().err
    assert where.stat().st_mode & 0o777 == 0o755
    assert (where / "models.config").stat().st_mode & 0o444 == 0o444


@pytest.mark.parametrize("installed", [True, False])
def test_dry_run(models, server, capsys, installed):
    if not installed:
        server.unlink()
    before = sorted(models.parent.rglob("*"))
    assert main(["serve", "--models", "my models", "--only", "gatys", "--dry-run"]) == 0
    told = capsys.readouterr()
    assert told.err == "" and sorted(models.parent.rglob("*")) == before
    text, command = told.out.rstrip("\n").rsplit("\n", 1)
    assert text + "\n" == config.models_config({"gatys": 1}, str(models))
    assert shlex.split(command) == [serve.SERVER, *config.server_flags(".")]


@pytest.mark.parametrize("how", [(), ("--dry-run",)])
@pytest.mark.parametrize("path, why", [
    ("bin/file", "File exists"), ("bin/file/conf", "Not a directory"), ("", "No such file or directory"),
    ("full", "Is a directory"),
])
def test_a_dry_run_refuses_a_folder_as_the_run_does(refused, models, path, why, how):
    (models.parent / "bin" / "file").touch()
    (models.parent / "full" / "models.config").mkdir(parents=True)
    before = sorted(models.parent.rglob("*"))
    said = refused("serve", "--models", "my models", "--config", path, *how)
    assert said == f"--config {path!r} cannot be written to: {why}." and sorted(models.parent.rglob("*")) == before


def test_a_dry_run_makes_no_folder(models, capsys):
    assert main(["serve", "--models", "my models", "--config", "new/conf", "--dry-run"]) == 0
    assert capsys.readouterr().err == "" and not (models.parent / "new").exists()


@pytest.mark.parametrize("words, sentence", [
    (["--rest-port", "0"], "--rest-port must be a whole number from 1 to 65535; received 0."),
    (["--grpc-port", "65536"], "--grpc-port must be a whole number from 1 to 65535; received 65536."),
    (["--rest-port", "web"], "--rest-port must be a whole number from 1 to 65535; received 'web'."),
    (["--rest-port", "8500"], "--rest-port and --grpc-port are both 8500; give each its own."),
    (["--timeout", "0"], "--timeout must be a number from 1 to 86400; received 0."),
    (["--only", "gatis"], "The folder {models!r} has no SavedModel 'gatis'; did you mean 'gatys'?"),
    (["--batching"], "--batching is for the model arbitrary, because gatys is never batched; add --only arbitrary."),
    (["--config", "my models/arbitrary/1/saved_model.pb"],
     "--config 'my models/arbitrary/1/saved_model.pb' cannot be written to: File exists."),
    (["gatys"], "tfstyle serve takes no argument 'gatys'; see tfstyle serve --help."),
])
def test_refusals(refused, models, words, sentence):
    assert refused("serve", "--models", "my models", *words) == sentence.format(models=str(models))


def test_folders_without_models(refused, models, monkeypatch):
    assert refused("serve", "--models", "gone").startswith(f"There is no folder '{models.parent}/gone' of models;")
    assert "has no <name>/<version>/saved_model.pb" in refused("serve", "--models", "bin")
    monkeypatch.setattr("tfstyle.__file__", str(models.parent / "site-packages" / "tfstyle" / "__init__.py"))
    assert refused("serve") == (
        "There are no SavedModels beside the package: first tfstyle export arbitrary -o DIR, "
        "then tfstyle serve --models DIR."
    )


def test_a_checkout_serves_its_own(models, monkeypatch, capsys):
    models.rename(models.parent / "saved_models")
    monkeypatch.setattr("tfstyle.__file__", str(models.parent / "tfstyle" / "__init__.py"))
    assert main(["serve", "--dry-run"]) == 0
    assert f'base_path: "{pathlib.Path(models.parent).resolve()}/saved_models/gatys"' in capsys.readouterr().out


def test_no_tensorflow(models):
    code = (
        "import sys; from tfstyle.cli import main; main(['serve', '--models', 'my models', '--dry-run'])\n"
        "print([name for name in ('tensorflow', 'grpc', 'google.protobuf', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
