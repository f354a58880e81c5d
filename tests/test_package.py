"""The package as a whole: TensorFlow comes late, and public names stay what they are."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import tfstyle

HEAVY = (
    "tensorflow", "keras", "jax", "torch", "matplotlib", "scipy", "av", "cv2", "gradio", "ray", "ipywidgets", "shtab",
)


def python(code):
    """Runs code in an interpreter of its own; returns its last line of output."""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def loaded_by(code):
    """Which of the heavy packages some code imports."""
    told = python(f"import sys\n{code}\nprint([name for name in {HEAVY} if name in sys.modules])")
    return ast.literal_eval(told)


@pytest.mark.parametrize("code", [
    "import tfstyle",
    "import tfstyle as t; t.GatysSettings(); t.preset('gatys2016'); t.NonFiniteError; t.Record; t.InputError",
    "import tfstyle.images, tfstyle.weights",
    "import tfstyle.gatys, tfstyle.gatys.settings, tfstyle.gatys.pyramid",
    "import tfstyle.controls, tfstyle.cli.doctor, tfstyle.cli.optimize, tfstyle.cli.stylize",
    "import tfstyle.export.settings, tfstyle.cli.export, tfstyle.cli.serve",
    "import tfstyle.enlarge_settings, tfstyle.cli.enlarge, tfstyle.cli.train",
    "import tfstyle.metrics, tfstyle.evaluate_settings, tfstyle.cli.evaluate",
    "import tfstyle.translate_settings, tfstyle.cli.translate, tfstyle.train.translate_settings",
    "import tfstyle.serving.client, tfstyle.serving.rest, tfstyle.cli.client",
    "import tfstyle.look, tfstyle.folder, tfstyle.movie.loop, tfstyle.cli.video",
    "import tfstyle.batch.job, tfstyle.cli.batch, tfstyle.cli.web, tfstyle.cli.completion, tfstyle.previews",
])
def test_importing_is_light(code):
    assert loaded_by(code) == []


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["stylize", "--help"], ["optimize", "--help"],
                                   ["doctor", "--help"], ["export", "--help"], ["serve", "--help"],
                                   ["client", "--help"], ["enlarge", "--help"], ["train", "style", "--help"],
                                   ["translate", "--help"], ["evaluate", "--help"], ["video", "--help"],
                                   ["batch", "--help"], ["web", "--help"], ["completion", "--help"]])
def test_help_is_light(words):
    code = f"""
import runpy
sys.argv = ["tfstyle", *{words}]
try:
    runpy.run_module("tfstyle", run_name="__main__", alter_sys=True)
except SystemExit as exit:
    assert exit.code == 0, exit.code
"""
    assert loaded_by(code) == []


def test_the_heavy_test_can_fail():
    assert loaded_by("import matplotlib") == ["matplotlib"]


def submodules():
    return [info.name for info in pkgutil.walk_packages(tfstyle.__path__, "tfstyle.")]


def test_public_names_survive_every_import():
    names = tfstyle.__all__
    first = {name: getattr(tfstyle, name) for name in names}
    for module in submodules():
        importlib.import_module(module)
    for _ in range(2):
        for name in names:
            assert getattr(tfstyle, name) is first[name], name
            assert not inspect.ismodule(first[name]), name


def test_a_first_use_does_not_replace_a_public_function():
    code = """
import tfstyle
before = tfstyle.stylize
for _ in range(2):
    try:
        tfstyle.stylize(None, None)
    except tfstyle.InputError:
        pass
print(callable(before) and tfstyle.stylize is before)
"""
    assert python(code) == "True"


def test_no_submodule_bears_a_public_name():
    modules = submodules()
    packages = ["tfstyle", *(name for name in modules if hasattr(importlib.import_module(name), "__path__"))]
    seen = 0
    for package in packages:
        public = getattr(importlib.import_module(package), "__all__", ())
        seen += len(public)
        assert not {f"{package}.{name}" for name in public} & set(modules)
    assert seen > len(tfstyle.__all__)


def test_all_names_are_there_and_listed():
    assert set(tfstyle.__all__) <= set(dir(tfstyle))
    with pytest.raises(AttributeError, match="no attribute 'stilize'"):
        tfstyle.stilize  # noqa: B018
