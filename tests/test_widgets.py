import datetime
import functools
import html
import io
import sys
import threading

import numpy as np
import pytest
from PIL import Image

import tfstyle
from tfstyle import api, previews, widgets
from tfstyle.controls import Controls
from tfstyle.images import to_uint8
from tfstyle.weights.files import shipped_styles

PATIENCE = 120  # s, for machines that are busy


class Painter:
    """Stands for the engines: it keeps what it is asked for, and answers with a picture of that size."""

    def __init__(self):
        self.asked, self.painted, self.answer = [], threading.Event(), None

    def __call__(self, content, style=None, method="fast", size=512, **settings):
        self.asked.append({"content": content, "style": style, "method": method, "size": size} | settings)
        self.painted.set()
        if isinstance(self.answer, Exception):
            raise self.answer
        return Image.new("RGB", (size, size // 2), "navy")


@pytest.fixture
def painter(monkeypatch):
    found = Painter()
    monkeypatch.setattr(api, "stylize", found)
    monkeypatch.setattr(widgets, "_REST", 0.05)
    return found


@pytest.fixture
def panels(monkeypatch):
    """Makes panels, and returns what stands behind the box."""
    made = []

    class Kept(widgets._Panel):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr(widgets, "_Panel", Kept)

    def make(*pictures, **start):
        box = tfstyle.panel(*pictures, **start)
        assert made[-1].box is box
        return made[-1]

    yield make
    for one in made:
        idle(one)
        one.box.close()


def idle(panel):
    """Waits until nothing is painted any more; returns what the panel then says."""
    worker = panel._worker
    if worker is not None:
        worker.join(PATIENCE)
        assert not worker.is_alive()
    return html.unescape(panel.said.value)


def drop(upload, data, name="picture.png"):
    """What ipywidgets does when a file is chosen."""
    upload.value = ({
        "name": name, "type": "image/png", "size": len(data), "content": memoryview(data),
        "last_modified": datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
    },)


def png(picture):
    file = io.BytesIO()
    Image.fromarray(to_uint8(picture)).save(file, "PNG")
    return file.getvalue()


def test_without_ipywidgets_it_says_what_to_install(monkeypatch, refusal):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert refusal(tfstyle.panel) == "The panel needs ipywidgets: pip install 'tfstyle[notebook]'."


def test_the_controls_are_those_of_the_settings(panels):
    panel = panels()
    fields = {field.name: field for field in Controls.__dataclass_fields__.values()}
    assert list(panel.controls) == ["strength", "style_scale", "size", "color"]
    for name, control in panel.controls.items():
        assert control.value == fields[name].default
        assert control.tooltip == fields[name].metadata["text"]
    strength, scale, size, color = panel.controls.values()
    assert (strength.min, strength.max) == (0, 1)
    assert 0.05 <= 2**scale.min < 0.06 and 2**scale.max == 8
    assert (scale.min / scale.step).is_integer()  # and so 1 is on the way
    assert size.min == 16 and color.options == fields["color"].metadata["choices"]
    assert [name for _, name in panel.method.options] == ["fast", "optimize", *shipped_styles()]
    assert panel.stop.disabled and panel.save.disabled and panel.result.value == b""


def test_where_it_starts(panels, photo, painting):
    panel = panels(photo, painting, method="optimize", strength=0.3, style_scale=2, color="match", size=4096)
    assert panel.method.value == "optimize"
    assert [control.value for control in panel.controls.values()] == [0.3, 2, 4096, "match"]
    for thumbnail, side in zip(panel.thumbnails.values(), [(61, 45), (48, 56)], strict=True):
        assert Image.open(io.BytesIO(thumbnail.value)).size == side and thumbnail.layout.display is None
    assert panel._worker is None
    assert panels().thumbnails["photo"].layout.display == "none"


@pytest.mark.parametrize(("start", "words"), [
    ({"strength": 2}, "strength must be a number from 0 to 1; received 2."),
    ({"sise": 99}, "setting must be one of 'strength', 'style_scale', 'color', 'size'; received 'sise'; did you mean "
     "'size'?"),
    ({"size": None}, "size must be a whole number; received None."),
    ({"method": "optimise"}, "did you mean 'optimize'?"),
    ({"content": "gone.png"}, "photo 'gone.png' does not exist; check the path."),
    ({"style": b"no picture"}, "painting"),
])
def test_what_it_does_not_start_with(refusal, start, words):
    assert words in refusal(tfstyle.panel, **start)


def test_two_pictures_are_dropped_and_painted(panels, painter, photo, painting):
    panel = panels()
    drop(panel.uploads["photo"], png(photo))
    assert idle(panel) == "" and not painter.asked  # one is not enough
    drop(panel.uploads["painting"], png(painting))
    assert idle(panel) == ""
    asked = {"content": png(photo), "style": png(painting), "method": "fast", "size": 512}
    assert painter.asked == [asked | {"strength": 1.0, "style_scale": 1.0, "color": "style"}]
    assert Image.open(io.BytesIO(panel.result.value)).size == (512, 256) and not panel.save.disabled


def test_a_slider_paints_anew_once_it_rests(panels, painter, photo, painting, monkeypatch):
    monkeypatch.setattr(widgets, "_REST", 0.5)
    panel = panels(photo, painting, size=64)
    for strength in (0.9, 0.7, 0.5, 0.3):
        panel.controls["strength"].value = strength
    idle(panel)
    assert [asked["strength"] for asked in painter.asked] == [0.3]
    panel.controls["color"].value = "luminance"
    idle(panel)
    assert (painter.asked[1]["strength"], painter.asked[1]["color"]) == (0.3, "luminance")
    assert len(painter.asked) == 2


def test_what_is_moved_while_it_paints_is_painted_after(panels, painter, photo, painting):
    panel = panels(photo, painting, size=64)
    moved = threading.Event()
    plain = painter.__call__

    def slow(*args, **options):
        picture = plain(*args, **options)
        assert moved.wait(PATIENCE)
        return picture

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "stylize", slow)
        panel.paint.click()
        assert painter.painted.wait(PATIENCE)
        panel.controls["strength"].value = 0.4
        moved.set()
        idle(panel)
    assert [asked["strength"] for asked in painter.asked] == [1.0, 0.4]


def test_a_network_of_one_style_needs_no_painting(panels, painter, photo, monkeypatch):
    monkeypatch.setattr(widgets, "shipped_styles", lambda: ("night",))
    panel = panels(photo, size=64)
    panel.method.value = "night"
    assert idle(panel) == ""
    assert painter.asked == [
        {"content": photo, "style": None, "method": "fast", "size": 64, "model": "night", "color": "style"}
    ]
    disabled = [name for name, control in panel.controls.items() if control.disabled]
    assert disabled == ["strength", "style_scale"] and panel.uploads["painting"].disabled
    panel.method.value = "fast"
    assert not any(control.disabled for control in panel.controls.values()) and not panel.uploads["painting"].disabled


def test_a_bad_file_is_told_and_the_picture_before_stays(panels, painter, photo, painting):
    panel = panels(photo, painting, size=64)
    before = panel.thumbnails["photo"].value
    drop(panel.uploads["photo"], b"<b>no</b> picture")
    said = idle(panel)
    assert said.startswith("photo ") and said.endswith(".") and "\n" not in said
    assert panel.thumbnails["photo"].value == before and not painter.asked
    panel.paint.click()
    idle(panel)
    assert painter.asked[0]["content"] is photo


def test_nothing_to_paint_yet(panels, painter, photo):
    panel = panels()
    panel.paint.click()
    assert idle(panel) == "There is no photo; drop or choose one."
    drop(panel.uploads["photo"], png(photo))
    panel.paint.click()
    assert idle(panel) == "There is no painting; drop or choose one."
    assert not painter.asked


@pytest.mark.parametrize(("error", "words"), [
    (tfstyle.InputError("A <large> picture; use another."), "A <large> picture; use another."),
    (MemoryError("all of it"), "MemoryError: all of it"),
])
def test_what_fails_is_told(panels, painter, photo, painting, error, words):
    panel = panels(photo, painting, size=64)
    painter.answer = error
    panel.paint.click()
    assert idle(panel) == words and "<large>" not in panel.said.value
    painter.answer = None
    panel.paint.click()
    assert idle(panel) == "" and panel.result.value


def test_it_saves(panels, painter, photo, painting, tmp_path):
    panel = panels(photo, painting, size=64)
    panel.paint.click()
    idle(panel)
    path = tmp_path / "out.png"
    panel.file.value = str(path)
    panel.save.click()
    assert idle(panel) == f"{path} is written, 64x32 px."
    with Image.open(path) as image:
        assert image.size == (64, 32)
    panel.file.value = str(tmp_path / "out.txt")
    panel.save.click()
    assert "unknown extension '.txt'" in idle(panel)


@pytest.fixture
def quick(tiny_vgg, monkeypatch):
    """A few steps of the optimizer, all of which are shown; returns their settings."""
    settings = dict(steps=8, precision="float32", content_layers="relu2_1", style_layers=("relu1_1", "relu2_1"))
    monkeypatch.setattr(api, "optimize_pictures", functools.partial(api.optimize_pictures, **settings))
    monkeypatch.setattr(previews, "_WORDS", 0.0)
    return settings


def test_the_optimizer_paints_when_asked_and_shows_how_far_it_is(panels, quick, photo, painting):
    panel = panels(photo, painting, method="optimize", size=32)
    shares, said = [], []
    panel.progress.observe(lambda change: shares.append(change["new"]), "value")
    panel.said.observe(lambda change: said.append(change["new"]), "value")
    panel.controls["strength"].value = 0.5
    assert panel._worker is None  # it takes long: it waits for its button
    panel.paint.click()
    assert idle(panel) == ""
    assert shares == [step / 8 for step in range(1, 9)]
    assert any("32 px, step 4 of 8" in words for words in said)
    assert panel.stop.disabled and panel.progress.layout.visibility == "hidden"
    expected = tfstyle.stylize(photo, painting, "optimize", 32, strength=0.5, **quick)
    np.testing.assert_array_equal(np.asarray(panel.painted), np.asarray(expected))


def test_the_optimizer_is_stopped(panels, quick, photo, painting):
    panel = panels(photo, painting, method="optimize", size=32)
    shares = []

    def moved(change):
        shares.append(change["new"])
        assert not panel.stop.disabled
        if len(shares) == 3:
            panel.stop.click()

    panel.progress.observe(moved, "value")
    panel.paint.click()
    assert idle(panel) == "" and shares == [1 / 8, 2 / 8, 3 / 8, 4 / 8]  # it is asked before a step is shown
    assert panel.painted.size == (32, 24) and panel.result.value and panel.stop.disabled


def test_files_are_dropped_by_a_script_of_the_page(panels):
    """What the script does is a browser's; here, that it comes along and finds its places."""
    panel = panels()
    asked = panel.box.children[0].children
    assert "document.addEventListener(\"drop\"" in asked[-1].outputs[0]["data"]["application/javascript"]
    assert [drop._dom_classes for drop in asked[0].children] == [("tfstyle-drop",)] * 2
