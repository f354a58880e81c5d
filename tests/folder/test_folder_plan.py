"""Which pictures of a folder are painted, and what the results are called."""

import pytest
from PIL import Image

from tfstyle import folder_plan, images
from tfstyle.checks import InputError


@pytest.mark.parametrize(("names", "format", "wanted"), [
    (["a.jpg", "a.PNG", "a.tiff"], None, ["a.jpg", "a.PNG", "a.tiff"]),
    (["a.gif", "b.Bmp", "c.jfif", "d.d.psd"], None, ["a.png", "b.png", "c.png", "d.d.png"]),
    (["a.gif", "a.png"], None, ["a.gif.png", "a.png"]),
    (["A.gif", "a.png"], None, ["A.gif.png", "a.png"]),
    (["a.bmp", "a.gif"], None, ["a.bmp.png", "a.gif.png"]),
    (["a.jpg", "a.png", "b.jpg"], "png", ["a.jpg.png", "a.png", "b.png"]),
    (["a.jpg", "a.JPG"], "jpg", ["a.jpg", "a.JPG.jpg"]),
    (["a.jpg"], "webp", ["a.webp"]),
])
def test_names(names, format, wanted):
    assert list(folder_plan.named(names, format).values()) == wanted


def test_names_that_cannot_be_kept_apart(refusal):
    told = refusal(folder_plan.named, ["a.bmp", "a.gif", "a.gif.png"], None)
    assert told == "'a.gif' and 'a.gif.png' would both become 'a.gif.png'; rename one of them."


def test_every_ending_is_that_of_a_format_that_is_read_or_written(tmp_path):
    from tfstyle.images import pixels

    known = Image.registered_extensions()
    assert {known[ending] for ending in folder_plan.READ if not ending.startswith(".hei")} == set(pixels._FORMATS)
    for ending in folder_plan.FORMATS:
        images.check_output(tmp_path / f"x.{ending}")
        assert f".{ending}" in folder_plan.READ
    for ending in {ending[1:] for ending in folder_plan.READ} - set(folder_plan.FORMATS):
        with pytest.raises(InputError):
            images.check_output(tmp_path / f"x.{ending}")
