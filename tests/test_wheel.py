"""The wheel: small enough, complete, and at work without the checkout."""

import pathlib
import subprocess
import sys
import zipfile

import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).parent.parent
LARGEST = 60e6


@pytest.mark.slow
def test_the_wheel_stylizes_a_picture_outside_the_checkout(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in subprocess.run(
        ["git", "ls-files", "tfstyle", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", "NOTICE"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path / "wheels", source], check=True
    )
    (wheel,) = (tmp_path / "wheels").glob("tfstyle-*.whl")
    assert wheel.stat().st_size < LARGEST
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert any(name.endswith("LICENSE") for name in names) and any(name.endswith("NOTICE") for name in names)
    inside = {"page.css", "page.js", "example.jpg", "styles/swirl.jpg", "photos/coffee.jpg", "learned/night.jpg"}
    assert {f"tfstyle/web/{name}" for name in inside} <= set(names)
    assert not any(name.startswith(("tests", "benchmarks", "examples")) for name in names)

    subprocess.run([*pip, "install", "-q", "--no-deps", "--target", tmp_path / "site", wheel], check=True)
    for name, color in (("photo.png", (200, 40, 90)), ("painting.png", (20, 160, 120))):
        Image.linear_gradient("L").resize((48, 48)).convert("RGB").point(
            [min(255, v * c // 128) for c in color for v in range(256)]
        ).save(tmp_path / name)
    for verb, flags in (("stylize", []), ("optimize", ["--steps", "3"])):
        check_painting(tmp_path, verb, flags)


def check_painting(folder, verb, flags):
    """One picture by the command line of the package that is installed in `folder`/site."""
    code = f"import sys; sys.path.insert(0, {str(folder / 'site')!r}); import tfstyle, tfstyle.cli; "
    code += "print(tfstyle.__file__); sys.exit(tfstyle.cli.main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, verb, "photo.png", "painting.png", "-o", f"{verb}.png", "--size", "48",
         *flags],
        cwd=folder, capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(folder / "site"))
    with Image.open(folder / f"{verb}.png") as picture:
        assert picture.size == (48, 48)
