"""tfstyle doctor: what this installation consists of, what it runs on, and what is wrong with it."""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

from tfstyle.cli import manners
from tfstyle.version import __version__

PRESENT = "present"
EXAMPLES = """examples:
  tfstyle doctor
  tfstyle doctor --json > doctor.json
  TF_CPP_MIN_LOG_LEVEL=0 tfstyle doctor  # with what TensorFlow logs, such as why it sees no GPU
"""
FAILED = "something is broken, as stderr says"


def add_flags(parser):
    """Adds the verb's flags."""
    parser.usage = "tfstyle doctor [flags]"
    manners.add_run(parser, quiet="only what is broken, on stderr", dry_run=False)


def run(args):
    """Prints the findings; 0 if everything works, 1 if something is broken, which stderr says."""
    found, broken = examine()
    manners.tell(args, _lines(found), **found, broken=broken)
    for sentence in broken:
        print(f"tfstyle: {sentence}", file=sys.stderr)
    return 1 if broken else 0


def examine():
    """Looks at everything.

    Returns:
        (findings as a JSON-ready dict, list of sentences about what is broken).
    """
    needed, extras, broken = _requirements()
    found = {"tfstyle": __version__, "python": platform.python_version(), "system": platform.platform(),
             "requirements": needed, "extras": extras, "cores": os.cpu_count()}
    found["keras_backend"] = os.environ.get("KERAS_BACKEND", "tensorflow")
    found["weights"] = _weights()
    broken += [f"{file} of the package tfstyle is {state}: reinstall tfstyle."
               for file, weights in found["weights"].items() if (state := weights["state"]) != "ok"]
    machine, fault = _machine()
    if fault and None not in needed.values():  # else it may be that which TensorFlow lacks
        broken.append(fault)
    return found | machine, broken


def _requirements():
    """What the installed metadata asks for.

    Returns:
        ({package: its version or None}, {extra: {package: its version or None}}, list of sentences about what
        is missing or of the wrong version; a missing extra is no fault).
    """
    try:
        lines = importlib.metadata.requires("tfstyle") or ()
    except importlib.metadata.PackageNotFoundError:  # a checkout on the path, never installed
        lines = ()
    needed, extras, broken = {}, {}, []
    for line in lines:
        name = re.match(r"[\w.-]+", line)[0]
        extra = re.search(r"extra == ['\"]([\w.-]+)", line)
        if name == "tfstyle":  # one extra may ask for another
            continue
        version = _version(name)
        (extras.setdefault(extra[1], {}) if extra else needed)[name] = version
        wanted = line.partition(";")[0].strip()
        if version is None and not extra:
            broken.append(f"{name} is not installed: pip install '{wanted}'.")
        elif version is not None and not _fits(line, version):
            broken.append(f"{name} {version} does not serve: pip install '{wanted}'.")
    return needed, extras, broken


def _fits(line, version):
    try:
        from packaging.requirements import Requirement
    except ImportError:  # comes with TensorFlow, whose absence is told elsewhere
        return True
    return version == PRESENT or Requirement(line).specifier.contains(version, prereleases=True)


def _version(name):
    """Version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        # Builds under other names, such as tensorflow-cpu, serve as well.
        return PRESENT if name.isidentifier() and importlib.util.find_spec(name) else None


def _weights():
    """{shipped file: {"state": "ok", "damaged" or "missing", "sha256": hexadecimal or None}}"""
    from tfstyle.weights.files import HERE, SHIPPED

    states = {}
    for file, wanted in SHIPPED.items():
        try:
            digest = hashlib.sha256((HERE / file).read_bytes()).hexdigest()
        except OSError:
            digest = None
        state = "missing" if digest is None else "ok" if digest == wanted else "damaged"
        states[file] = {"state": state, "sha256": digest}
    return states


def _machine():
    """What TensorFlow says, in a process of its own: on a processor that lacks what it wants, it dies.

    Returns:
        (findings as a dict, empty if there are none; sentence about what is broken, or None).
    """
    root = pathlib.Path(__file__).parents[2]
    paths = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    env = {"TF_CPP_MIN_LOG_LEVEL": "3"} | os.environ | {"PYTHONPATH": paths, "KERAS_BACKEND": "tensorflow"}
    code = "from tfstyle.cli.doctor import probe; probe()"
    told = env["TF_CPP_MIN_LOG_LEVEL"] == "0"
    child = subprocess.run([sys.executable, "-P", "-c", code], check=False, env=env, stdout=subprocess.PIPE,
                           stderr=None if told else subprocess.PIPE, text=True, errors="replace")
    if child.returncode == 0:
        return json.loads(child.stdout.splitlines()[-1]), None
    last = [line.strip() for line in (child.stderr or "").splitlines() if line.strip()]
    why = last[-1] if last else f"it ended with exit code {child.returncode}"
    return {}, f"TensorFlow cannot be used ({why.rstrip('.')}): pip install --force-reinstall tensorflow."


def probe():
    """Prints what TensorFlow says as one line of JSON; for a process of its own."""
    import keras
    import numpy as np
    import PIL
    import tensorflow as tf
    from PIL import features

    from tfstyle.machine import available, bfloat16_wins

    devices = []
    for device in tf.config.list_physical_devices():
        details = tf.config.experimental.get_device_details(device) if device.device_type == "GPU" else {}
        capability = ".".join(map(str, details.get("compute_capability", ())))
        devices.append({"type": device.device_type, "name": details.get("device_name", device.name)}
                       | ({"compute_capability": capability} if capability else {}))
    tf.constant(0.0) + 1.0  # the least that must work
    wins, why = bfloat16_wins()
    print(json.dumps({
        "tensorflow": tf.__version__, "keras": keras.__version__,
        "numpy": np.__version__, "pillow": PIL.__version__,
        "formats": {kind: features.check(kind) for kind in ("jpg", "zlib", "webp", "avif", "libtiff")},
        "devices": devices, "built_with_cuda": tf.test.is_built_with_cuda(),
        "bfloat16": wins, "bfloat16_why": why, "memory_available": available(),
    }))


def _lines(found):
    """The findings for people."""
    rows = [("tfstyle", found["tfstyle"]), ("python", f"{found['python']}, {found['system']}")]
    if "tensorflow" in found:
        has = ", ".join(f"{kind} {_yes(found['formats'][kind])}" for kind in ("webp", "avif"))
        other = "" if found["keras_backend"] == "tensorflow" else " (tfstyle optimize takes tensorflow)"
        rows += [
            ("tensorflow", found["tensorflow"]),
            ("keras", f"{found['keras']} on {found['keras_backend']}{other}"),
            ("numpy", found["numpy"]), ("pillow", f"{found['pillow']} ({has})"),
        ]
    told, needed = dict(rows), found["requirements"]
    rows += [(name, version or "MISSING") for name, version in needed.items() if name not in told]
    for extra, packages in found["extras"].items():
        lacking = [name for name, version in packages.items() if version is None]
        state = ", ".join(f"{name} {version}" for name, version in packages.items())
        if lacking:
            state = f"lacks {', '.join(lacking)}: pip install 'tfstyle[{extra}]'"
        rows.append((f"[{extra}]", state))
    rows.append(("cores", found["cores"]))
    for device in found.get("devices", ()):
        capability = device.get("compute_capability")
        rows.append(("device", device["name"] + (f", compute capability {capability}" if capability else "")))
    if "bfloat16" in found:
        rows.append(("bfloat16", f"{_yes(found['bfloat16'])}: {found['bfloat16_why']}"))
        rows.append(("memory", f"{found['memory_available'] / 2**30:.1f} GiB available"))
    for file, its in found["weights"].items():
        rows.append(("weights", f"{file} {its['state']}, SHA-256 {its['sha256']}"))
    return "\n".join(f"{name:<16} {value}" for name, value in rows)


def _yes(there):
    return "yes" if there else "no"
