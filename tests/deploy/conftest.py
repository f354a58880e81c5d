"""What the tests of deploy/ share: its files, and readers of what the server would read."""

import pathlib
import re

import pytest

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
# Flags of tensorflow_model_server 2.21 that are used here. It prints an unknown one and goes on without it.
FLAGS = {
    "port", "rest_api_port", "rest_api_num_threads", "rest_api_timeout_in_ms", "model_config_file",
    "model_config_file_poll_wait_seconds", "allow_version_labels_for_unavailable_models", "max_num_load_retries",
    "monitoring_config_file", "tensorflow_intra_op_parallelism", "tensorflow_inter_op_parallelism",
    "enable_batching", "batching_parameters_file",
}


@pytest.fixture(scope="session")
def deploy():
    """The folder."""
    return DEPLOY


@pytest.fixture(scope="session")
def read():
    """Reads a file of the folder."""
    return lambda name: (DEPLOY / name).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def batching_on():
    """Edits a file's text as it says to for batching."""
    return lambda text: text.replace("# - --", "- --")


@pytest.fixture(scope="session")
def flags_of():
    """Makes {flag: value} of a server's command line; every word must be a flag that the server knows."""

    def parsed(words):
        pairs = dict(re.fullmatch(r"--([a-z_]+)=(.+)", word).groups() for word in words)
        assert len(pairs) == len(words) and pairs.keys() <= FLAGS
        return pairs

    return parsed


@pytest.fixture(scope="session")
def configured():
    """Makes {model: (base path, versions, labels)} of a models.config."""
    pytest.importorskip("tensorflow_serving")
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    def parsed(text):
        models = text_format.Parse(text, model_server_config_pb2.ModelServerConfig()).model_config_list.config
        assert {model.model_platform for model in models} == {"tensorflow"}
        return {
            model.name: (
                model.base_path, list(model.model_version_policy.specific.versions), dict(model.version_labels),
            )
            for model in models
        }

    return parsed
