"""What TensorFlow Serving is told: which SavedModels a folder has, the text of models.config, the command line.

Text only, no protocol buffers, so that neither TensorFlow nor an extra is needed. `deploy/` has the same as files.
"""

import os

from tfstyle.checks import InputError, closest

__all__ = ["BATCHING", "IMAGE", "LABEL", "find_models", "models_config", "server_flags"]

IMAGE = "tensorflow/serving:2.21.0"
LABEL = "stable"  # of the version that is served: /v1/models/arbitrary/labels/stable:predict
# The same as deploy/batching.config, which says why.
BATCHING = """max_batch_size { value: 8 }
batch_timeout_micros { value: 2000 }
num_batch_threads { value: 2 }
max_enqueued_batches { value: 32 }
"""


def find_models(folder, names=()):
    """The newest version of each SavedModel in a folder laid out as <folder>/<name>/<version>/saved_model.pb.

    Args:
        folder: path.
        names: of the models wanted; none takes all that are there.

    Returns:
        Dict {name: version as int}, in the order of `names` or of the alphabet.

    Raises:
        InputError: no folder, no SavedModel in it, or none of a name.
    """
    if not os.path.isdir(folder):
        raise InputError(f"There is no folder {str(folder)!r} of models; make one by tfstyle export arbitrary -o DIR.")
    try:
        found = {name: _versions(os.path.join(folder, name)) for name in sorted(os.listdir(folder))}
    except OSError as error:
        raise InputError(f"The folder {str(folder)!r} cannot be read: {error.strerror}.") from None
    found = {name: max(versions) for name, versions in found.items() if versions}
    if not found:
        raise InputError(
            f"The folder {str(folder)!r} has no <name>/<version>/saved_model.pb; "
            f"name the folder that was given to tfstyle export arbitrary -o DIR."
        )
    for name in names:
        if name not in found:
            near = closest(name, found)
            hint = f"did you mean {near!r}?" if near else f"there are {', '.join(found)}."
            raise InputError(f"The folder {str(folder)!r} has no SavedModel {name!r}; {hint}")
    return {name: found[name] for name in names} if names else found


def _versions(folder):
    """The version numbers of one model: the folders that TensorFlow Serving would load."""
    if not os.path.isdir(folder):
        return []
    return [
        int(name) for name in os.listdir(folder)
        if name.isascii() and name.isdigit() and os.path.isfile(os.path.join(folder, name, "saved_model.pb"))
    ]


def models_config(models, base):
    """The text of a models.config: each model with one pinned version, which bears the label `stable`.

    The version is pinned because under the policy "latest" a new folder would unload the version that the label
    points to.

    Args:
        models: dict {name: version}.
        base: absolute path of the folder that holds <name>/<version>/, as the server sees it.

    Returns:
        Text of a `tensorflow.serving.ModelServerConfig` in the protocol buffers' text format.

    Source:
        https://www.tensorflow.org/tfx/serving/serving_config
    """
    configs = (
        f"""  config {{
    name: {_quoted(name)}
    base_path: {_quoted(base.rstrip("/") + "/" + name)}
    model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: {version} }} }}
    version_labels {{ key: "{LABEL}" value: {version} }}
  }}
"""
        for name, version in models.items()
    )
    return f"model_config_list {{\n{''.join(configs)}}}\n"


def server_flags(config, *, rest_port=8501, grpc_port=8500, timeout=600, batching=False):
    """The flags of tensorflow_model_server, which prints those that it does not know and goes on without them.

    Args:
        config: folder, as the server sees it, of models.config and, if batching, batching.config.
        rest_port: for HTTP, 1 to 65535.
        grpc_port: for gRPC, 1 to 65535.
        timeout: seconds after which a REST call is given up; a gRPC call has the deadline of its client.
        batching: whether calls that come together are computed together.

    Returns:
        List of texts.
    """
    flags = [
        f"--port={grpc_port}",
        f"--rest_api_port={rest_port}",
        f"--rest_api_timeout_in_ms={round(1000 * timeout)}",
        f"--model_config_file={config}/models.config",
        # Without it the server refuses, at its start, every label: no version is loaded yet.
        "--allow_version_labels_for_unavailable_models=true",
        # A model that does not load ends the server at once; it would try again for five minutes.
        "--max_num_load_retries=0",
    ]
    if batching:
        flags += ["--enable_batching=true", f"--batching_parameters_file={config}/batching.config"]
    return flags


def _quoted(text):
    """A string of the text format, which is escaped as in C."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
