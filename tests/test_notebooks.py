"""The notebooks run from top to bottom (at small size, by nbmake), and what is committed of them is clean.

A notebook takes the long side of its pictures in pixels from TFSTYLE_NOTEBOOK_SIZE and the share of its steps from
TFSTYLE_NOTEBOOK_EFFORT, where these are set.

    python tests/test_notebooks.py [gatys ...]    executes them, or those named, anew at full size and writes their
                                                  outputs into them
"""

import ast
import base64
import io
import pathlib
import re
import sys
import tempfile

import nbformat
import pytest
from PIL import Image

NOTEBOOKS = sorted((pathlib.Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))
MOST_BYTES = 1_000_000
MOST_CELLS = 14  # texts and code together: one story
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
SMALL = {"TFSTYLE_NOTEBOOK_SIZE": "64", "TFSTYLE_NOTEBOOK_EFFORT": "0.02"}
# A path of the machine that executed it: /home/ann/x, /tmp/x, C:\Users\ann, but not https://a.org/usr/x.
MACHINE_PATH = re.compile(r"(?<![\w./])/(?:home|root|tmp|usr|var|opt|mnt|Users|work|private)/|\b[A-Z]:\\")

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def execute(path, scratch, **environment):
    """The notebook as nbmake executes it in its own folder by this very interpreter; only outputs differ."""
    settings = {
        # Kernels of the user's own are of other interpreters; "python3" is then this one's.
        "JUPYTER_DATA_DIR": str(scratch),
        "JUPYTER_PLATFORM_DIRS": "1",  # jupyter_core warns when imported unless this is set
        "IPYTHONDIR": str(scratch),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (settings | environment).items():
            patch.setenv(name, value)
        from nbmake.nb_run import NotebookRun

        done = NotebookRun(path, default_timeout=3600, kernel="python3").execute()
    assert done.error is None, done.error.trace
    return cleaned(done.nb)


def cleaned(notebook):
    """Without what differs from run to run, and what is there twice."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
    return notebook


def joined(outputs):
    """What a cell prints comes in as many pieces as chance has it; progress that is cleared away leaves nothing."""
    found = []
    for output in outputs:
        data = output.get("data")
        if data is not None and "image/jpeg" in data:
            data.pop("image/png", None)  # a PIL image shows itself in both
        if found and output.get("name") is not None and found[-1].get("name") == output.name:
            found[-1].text += output.text
        elif data != {}:
            found.append(output)
    return found


def code_cells(path_or_notebook):
    is_path = isinstance(path_or_notebook, pathlib.Path)
    notebook = nbformat.read(path_or_notebook, as_version=4) if is_path else path_or_notebook
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(part):
    """Every text in a notebook or a part of it."""
    if isinstance(part, str):
        return [part]
    parts = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return [text for inner in parts for text in texts(inner)]


def kinds(cell):
    """What the outputs of a cell are, whatever they show."""
    return [sorted(output.get("data", {output.get("name"): 0})) for output in cell.outputs]


@pytest.mark.slow
def test_it_runs(path, tmp_path):
    found = [kinds(cell) for cell in code_cells(execute(path, tmp_path, **SMALL))]
    assert found == [kinds(cell) for cell in code_cells(path)], "the committed outputs are those of other code"


def test_it_is_short_and_defines_no_model(path):
    assert len(nbformat.read(path, as_version=4).cells) <= MOST_CELLS
    for cell in code_cells(path):
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.ClassDef)
            named = getattr(node, "attr", getattr(node, "id", ""))
            assert named not in {"Model", "Sequential", "Conv2D", "Dense", "Layer"}


def test_its_outputs_are_of_one_run_without_trouble(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert cells[-1].outputs
    for output in (output for cell in cells for output in cell.outputs):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.text


def test_its_pictures_show_something(path):
    outputs = [output.get("data", {}) for cell in code_cells(path) for output in cell.outputs]
    pictures = [value for data in outputs for kind, value in data.items() if kind.startswith("image/")]
    assert pictures
    for picture in pictures:
        with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
            assert min(image.size) > 64
            darkest, brightest = image.convert("L").getextrema()
            assert brightest - darkest > 128


def test_it_tells_nothing_of_the_machine(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < MOST_BYTES
    assert notebook.metadata == METADATA
    for cell in notebook.cells:
        assert not cell.metadata, "no execution times, no states of an editor"
        for output in cell.get("outputs", ()):
            for kind in [kind for kind in output.get("data", {}) if kind.startswith("image/")]:
                del output.data[kind]
    assert not [text for text in texts(notebook) if MACHINE_PATH.search(text)]


if __name__ == "__main__":
    chosen = [path for path in NOTEBOOKS if path.stem in sys.argv[1:] or not sys.argv[1:]]
    if unknown := set(sys.argv[1:]) - {path.stem for path in chosen}:
        sys.exit(f"there is no notebook {', '.join(sorted(unknown))}")
    for notebook_path in chosen:
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(execute(notebook_path, folder), notebook_path)
        print(f"{notebook_path.name}  {notebook_path.stat().st_size / 1000:.0f} kB", file=sys.stderr)
