"""Which SavedModels a folder has, and what the server is told of them."""

import pytest

from tfstyle.serving import config


@pytest.fixture
def exported(tmp_path):
    """arbitrary in versions 1, 2 and 10, gatys in 1, and what else may lie about."""
    for name in ("arbitrary/1", "arbitrary/2", "arbitrary/10", "gatys/1", "notes/1", "half/1"):
        (tmp_path / name).mkdir(parents=True)
        if name[0] in "ag":
            (tmp_path / name / "saved_model.pb").write_bytes(b"graph")
    for name in ("arbitrary/latest", "arbitrary/²", "arbitrary/.tmp-11"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "README.md").write_text("models")
    return tmp_path


def test_models_found(exported):
    assert config.find_models(exported) == {"arbitrary": 10, "gatys": 1}
    assert list(config.find_models(exported, ["gatys", "arbitrary"]).items()) == [("gatys", 1), ("arbitrary", 10)]


def test_models_not_found(exported, refusal):
    assert refusal(config.find_models, exported / "README.md").startswith("There is no folder ")
    assert "has no <name>/<version>/saved_model.pb" in refusal(config.find_models, exported / "notes")
    assert refusal(config.find_models, exported, ["gatis"]).endswith("has no SavedModel 'gatis'; did you mean 'gatys'?")
    assert refusal(config.find_models, exported, ["x"]).endswith("has no SavedModel 'x'; there are arbitrary, gatys.")


@pytest.mark.parametrize("base", ["/models", "/models/", '/with "quotes"', "/back\\slash\n", "/größe"])
def test_text_format(base):
    pytest.importorskip("tensorflow_serving")
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    text = config.models_config({"arbitrary": 10, "gatys": 1}, base)
    parsed = text_format.Parse(text, model_server_config_pb2.ModelServerConfig()).model_config_list.config
    assert [model.base_path for model in parsed] == [f"{base.rstrip('/')}/{name}" for name in ("arbitrary", "gatys")]
    assert [dict(model.version_labels) for model in parsed] == [{"stable": 10}, {"stable": 1}]
    assert [list(model.model_version_policy.specific.versions) for model in parsed] == [[10], [1]]


def test_flags():
    flags = config.server_flags("/config", rest_port=1, grpc_port=2, timeout=1.5)
    assert flags[:4] == [
        "--port=2", "--rest_api_port=1", "--rest_api_timeout_in_ms=1500", "--model_config_file=/config/models.config",
    ]
    more = set(config.server_flags("/config", batching=True)) - set(config.server_flags("/config"))
    assert more == {"--enable_batching=true", "--batching_parameters_file=/config/batching.config"}
