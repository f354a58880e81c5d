"""The files that the server reads, the Dockerfile and the texts, against each other and the SavedModels."""

import pathlib
import re

import pytest

from tfstyle.serving import config

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ("arbitrary", "gatys")


def message(name, **fields):
    """A protocol buffer of the given fields, "int64" being wrapped as the server's are."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{name}.proto", package="tests", syntax="proto3", dependency=[wrappers_pb2.DESCRIPTOR.name]
    )
    made = file.message_type.add(name=name)
    for number, (field, kind) in enumerate(fields.items(), 1):
        if kind == "int64":
            made.field.add(name=field, number=number, label=kinds.LABEL_OPTIONAL, type=kinds.TYPE_MESSAGE,
                           type_name=".google.protobuf.Int64Value")
        else:
            made.field.add(name=field, number=number, label=kinds.LABEL_OPTIONAL, type=kind)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tests.{name}"))()


@pytest.mark.parametrize("name, models", [
    ("models.config", MODELS), ("arbitrary.config", MODELS[:1]), ("gatys.config", MODELS[1:]),
])
def test_models_configs(read, configured, name, models):
    wanted = {model: (f"/models/{model}", [1], {"stable": 1}) for model in models}
    assert configured(read(name)) == wanted
    assert configured(config.models_config(dict.fromkeys(models, 1), "/models")) == wanted


def test_models_config_names_the_folders_that_there_are(read, configured):
    there = sorted(path.name for path in (ROOT / "saved_models").iterdir() if path.is_dir())
    if not there:
        pytest.skip("saved_models has no model yet")
    found = configured(read("models.config"))
    assert sorted(found) == there
    for model, (_, versions, labels) in found.items():
        assert {*versions, *labels.values()} == {config.find_models(ROOT / "saved_models", [model])[model]}


def test_batching_config(read):
    text_format = pytest.importorskip("google.protobuf.text_format")
    fields = dict.fromkeys(
        ("max_batch_size", "batch_timeout_micros", "num_batch_threads", "max_enqueued_batches"), "int64"
    )
    parsed = text_format.Parse(read("batching.config"), message("BatchingParameters", **fields))
    assert {name: getattr(parsed, name).value for name in fields} == {
        "max_batch_size": 8, "batch_timeout_micros": 2000, "num_batch_threads": 2, "max_enqueued_batches": 32,
    }
    assert str(text_format.Parse(config.BATCHING, message("BatchingParameters", **fields))) == str(parsed)


def test_monitoring_config(read):
    text_format = pytest.importorskip("google.protobuf.text_format")
    body = re.fullmatch(r"(?:#.*\n)*prometheus_config \{\n((?:.*\n)*)\}\n", read("monitoring.config"))[1]
    parsed = text_format.Parse(body, message("PrometheusConfig", enable=8, path=9))  # bool, string
    assert (parsed.enable, parsed.path) == (True, "/monitoring/prometheus/metrics")


def test_dockerfile(deploy, read, flags_of):
    text = read("Dockerfile")
    assert re.findall(r"^FROM (\S+)$", text, re.M) == [config.IMAGE]
    copied = {}
    for line in re.findall(r"^COPY (.+)$", text, re.M):
        *sources, target = line.split()
        copied.update({source: target for source in sources})
    assert {f"saved_models/{model}": f"/models/{model}" for model in MODELS}.items() <= copied.items()
    configs = {f"deploy/{path.name}": "/config/" for path in deploy.glob("*.config")}
    assert len(configs) == 5 and configs.items() <= copied.items() and len(copied) == 7
    words = re.search(r"^CMD \[(.+?)\]", text, re.M | re.S)[1]
    flags = flags_of(re.findall(r'"(.+?)"', words))
    assert flags["model_config_file"] == "/config/models.config" and "enable_batching" not in flags
    assert read("Dockerfile.dockerignore").split("*\n")[1].split() == ["!saved_models", "!deploy"]


def test_one_server_version_everywhere(deploy):
    for path in [*deploy.rglob("*"), ROOT / "saved_models" / "README.md"]:
        if path.is_file():
            found = set(re.findall(r"tensorflow/serving:[\w.-]*\d", path.read_text(encoding="utf-8")))
            assert found <= {config.IMAGE}, path.name


def test_texts_name_files_that_are_there(deploy, read):
    for name in ("README.md", "SIZING.md"):
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", read(name)):
            assert (deploy / link).exists(), link
        for word in re.findall(r"`(?:deploy/)([\w./-]+)`", read(name)):
            assert (deploy / word).exists(), word
