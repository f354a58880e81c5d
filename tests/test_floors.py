"""The floors of the house: imports point down, and no circles exist."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1] / "tfstyle"

# The ground may be used by all. A key covers a module, or every module of a folder that has no longer key.
FLOORS = {
    "tfstyle": 0,
    "tfstyle.atomic": -1,
    "tfstyle.chatter": -1,
    "tfstyle.checks": -1,
    "tfstyle.version": -1,
    "tfstyle.machine": 0,
    "tfstyle.settings": 0,
    "tfstyle.weights": 0,
    "tfstyle.pipeline": 0,
    "tfstyle.folder_plan": 4,
    "tfstyle.maps": 3,
    "tfstyle.scratch": 0,
    "tfstyle.images": 1,
    "tfstyle.losses": 1,
    "tfstyle.nets": 2,
    "tfstyle.nets.layers": 1,
    "tfstyle.look": 2,
    "tfstyle.previews": 3,
    "tfstyle.gatys": 3,
    "tfstyle.metrics": 3,
    "tfstyle.train": 4,
    "tfstyle.api": 4,
    "tfstyle.controls": 4,
    "tfstyle.enlarge_settings": 4,
    "tfstyle.enlarger": 4,
    "tfstyle.feedforward_stylizer": 4,
    "tfstyle.foreign": 4,
    "tfstyle.moments": 3,
    "tfstyle.strips": 3,
    "tfstyle.running": 3,
    "tfstyle.codes": 4,
    "tfstyle.large": 4,
    "tfstyle.stylizer": 4,
    "tfstyle.folder": 4,
    "tfstyle.translate_settings": 4,
    "tfstyle.translator": 4,
    "tfstyle.evaluate_settings": 4,
    "tfstyle.movie": 5,
    "tfstyle.export": 5,
    "tfstyle.serving": 5,
    "tfstyle.batch": 5,
    "tfstyle.web": 6,
    "tfstyle.widgets": 6,
    "tfstyle.cli": 7,
    "tfstyle.__main__": 8,
}


def modules():
    """{dotted name: path} of the whole package."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(name, source, known):
    """The modules of `known` that a module imports anywhere in its text, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} imports relatively; write the whole name"
            # `from package import x` takes a module if x is one, else something that the package holds.
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else node.module)
    return {module for module in found if module in known} - {name}


def floor(name):
    while name not in FLOORS:
        name, dot, _ = name.rpartition(".")
        assert dot, "every name begins with tfstyle"
    return FLOORS[name]


def folder(name):
    """The folder in which a module lies; a package's own __init__ lies in the package."""
    return name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]


GRAPH = {name: imported(name, path.read_text(encoding="utf-8"), MODULES) for name, path in MODULES.items()}


def circle(graph):
    """A list of modules that import each other in a ring, or None."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return [*path[path.index(name):], name]
        if name in done:
            return None
        path.append(name)
        ring = next(filter(None, map(visit, sorted(graph[name]))), None)
        path.pop()
        done.add(name)
        return ring

    return next(filter(None, map(visit, sorted(graph))), None)


def test_every_module_has_a_floor():
    tops = {name for name in MODULES if name.count(".") == 1}
    assert tops and tops <= FLOORS.keys(), "give the new module a floor in FLOORS, as the design says"


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_point_down(name):
    for other in GRAPH[name]:
        same_room = folder(other) == folder(name) and floor(other) == floor(name)
        assert floor(other) < floor(name) or same_room or other == "tfstyle", (
            f"{name} (floor {floor(name)}) imports {other} (floor {floor(other)})"
        )


def test_the_package_itself_imports_only_the_ground():
    """Everyone imports it unasked, so whatever it imported would be everyone's."""
    assert GRAPH["tfstyle"] <= {"tfstyle.chatter", "tfstyle.checks", "tfstyle.version"}


def test_no_circles():
    assert circle(GRAPH) is None


def test_the_test_sees_what_it_should():
    known = {"tfstyle", "tfstyle.images", "tfstyle.images.files", "tfstyle.api"}
    source = "import os, tfstyle.api\ndef f():\n    from tfstyle.images import files, read\n"
    assert imported("x", source, known) == {"tfstyle.api", "tfstyle.images.files", "tfstyle.images"}
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None
    assert "tfstyle.images" in GRAPH["tfstyle.api"]
    assert "tfstyle.cli" in GRAPH["tfstyle.__main__"]
