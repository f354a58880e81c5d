import base64
import io
import sys
import types

import numpy as np
import pytest
from PIL import Image

from tfstyle import previews
from tfstyle.gatys.record import Record
from tfstyle.images import to_uint8
from tfstyle.previews import Watch, in_notebook, jpeg, watched

SCALES = [(24, 32, 4), (48, 64, 2)]  # work of 4 and of 8


class ZMQInteractiveShell:
    """By its name that of a notebook's kernel."""


class ColabShell(ZMQInteractiveShell):
    pass


class TerminalInteractiveShell:
    pass


def record(step, steps=6, scale=32, figures=None, side=32):
    weighted = {"content/relu4_2": 0.5, "style/relu1_1": 1.0, "style/relu2_1": 2.0, "tv": 0.0}
    picture = np.full((side, 2 * side, 3), step / 100, np.float32)
    return Record(step, steps, scale, weighted, weighted, 0.0, lambda: picture, figures)


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when told to."""
    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr(previews.time, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def shown():
    """What has been shown, and the function to show it with."""
    found = []
    return found, lambda *moment: found.append(moment)


@pytest.fixture
def kernel(monkeypatch):
    """A notebook's kernel; returns what it has been given to display, in order."""
    published = []

    def publish(data, *, transient, update=False):
        published.append((transient["display_id"], update, data))

    display = types.SimpleNamespace(publish_display_data=publish)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=ColabShell, display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return published


@pytest.mark.parametrize(("shell", "expected"), [
    (ZMQInteractiveShell, True), (ColabShell, True), (TerminalInteractiveShell, False), (lambda: None, False),
])
def test_a_notebook_is_known_by_its_shell(monkeypatch, shell, expected):
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=shell))
    assert in_notebook() is expected


def test_ipython_is_not_imported_to_ask_for_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook() and "IPython" not in sys.modules


@pytest.mark.parametrize("picture", [
    np.full((300, 600, 3), 0.2, np.float32), Image.new("RGBA", (600, 300), (51, 51, 51, 90)),
    Image.new("L", (600, 300), 51),
])
def test_previews_are_small(picture):
    data = jpeg(picture)
    image = Image.open(io.BytesIO(data))
    assert image.format == "JPEG" and image.mode == "RGB" and image.size == (256, 128) and len(data) < 3000
    assert np.abs(np.asarray(image, int) - 51).max() <= 1
    assert Image.open(io.BytesIO(jpeg(picture, 1000))).size == (600, 300)
    if isinstance(picture, Image.Image):
        assert picture.size == (600, 300)


def test_outside_of_notebooks_nothing_is_shown(capfd):
    def callback(record):
        raise AssertionError

    for progress in (None, False):
        with watched(callback, progress) as found:
            assert found == (callback, None)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("progress", [1, "yes", [], np.True_])
def test_progress_is_yes_or_no_or_neither(refusal, progress):
    said = refusal(watched(None, progress).__enter__)
    assert said == f"progress must be True, False or None; received {progress!r}."


def test_work_is_counted_by_pixels_and_the_time_left_by_work(clock, shown):
    found, show = shown
    watch = Watch(show, pictures=False)
    watch.planned(SCALES)
    for step, scale, seconds in ((1, 32, 0), (2, 32, 2), (4, 32, 4), (5, 64, 8), (6, 64, 1000)):
        clock.now += seconds
        assert watch(record(step, scale=scale)) is False
    shares, lines, losses, pictures = zip(*found, strict=True)
    assert shares == pytest.approx([1 / 12, 2 / 12, 4 / 12, 8 / 12, 1])
    # From the first step on, since what comes before it is no measure.
    assert lines == (
        "32 px, step 1 of 6", "32 px, step 2 of 6, 20 s left", "32 px, step 4 of 6, 16 s left",
        "64 px, step 5 of 6, 8 s left", "64 px, step 6 of 6, 0 s left",
    )
    assert set(losses) == {"total 3.5, content 0.5, style 3"} and set(pictures) == {None}


def test_a_resumed_run_begins_in_the_middle(clock, shown):
    found, show = shown
    watch = Watch(show, pictures=False)
    watch.planned(SCALES)
    watch(record(4))
    clock.now += 400
    watch(record(5, scale=64))
    assert [moment[:2] for moment in found] == [
        (pytest.approx(4 / 12), "32 px, step 4 of 6"), (pytest.approx(8 / 12), "64 px, step 5 of 6, 7 min left"),
    ]


def test_without_a_plan_steps_are_counted(clock, shown):
    found, show = shown
    watch = Watch(show)
    watch(record(3))
    assert found[0][0] == 0.5


def test_lines_and_pictures_come_no_faster_than_eyes(clock, shown):
    found, show = shown
    watch = Watch(show)
    for step in range(1, 81):
        watch(record(step, steps=80))
        clock.now += 0.05
    assert 16 <= len(found) <= 20  # in 4 s
    pictures = [picture for _, _, _, picture in found]
    assert len(set(pictures)) == 3 and pictures == sorted(pictures, key=pictures.index)


def test_large_previews_are_made_less_often(clock, shown):
    found, show = shown

    def slow(step):
        def image():
            clock.now += 1
            return np.full((32, 32, 3), step / 10, np.float32)
        return Record(step, 9, 32, {}, {}, 0.0, image)

    watch = Watch(show)
    for step, at in ((1, 0), (2, 15), (3, 22)):
        clock.now = 200 + at
        watch(slow(step))
    first, second, third = (moment[3] for moment in found)
    assert first == second != third


def test_a_texture_that_is_mixed_has_no_steps(clock, shown):
    found, show = shown
    watch = Watch(show)
    watch(record(0))
    clock.now += 50
    watch.planned(SCALES)
    watch(record(1))
    clock.now += 1
    watch(record(2))
    assert [moment[:3] for moment in found[:1]] == [(0.0, "mixing the texture", "")] and found[0][3]
    assert found[2][1] == "32 px, step 2 of 6, 10 s left"


def test_the_users_own_callback_is_asked(clock, shown):
    found, show = shown
    seen = []

    def callback(record):
        seen.append(record.step)
        return record.step == 2

    watch = Watch(show, callback, raising=True)
    assert [watch(record(step)) for step in (1, 2)] == [False, True]
    watch(record(2, figures={"tv": 0.1}))  # the end: asked for, and no interruption
    assert seen == [1, 2, 2] and len(found) == 1


def test_an_interruption_is_one(clock, shown):
    final = record(3, figures={"tv": 0.1})
    Watch(shown[1])(final)
    with pytest.raises(KeyboardInterrupt, match="^stopped at step 3 of 6$"):
        Watch(shown[1], raising=True)(final)
    Watch(shown[1], raising=True)(record(6, figures={"tv": 0.1}))


def test_in_a_notebook_there_is_one_place_which_is_cleared(kernel, clock):
    with watched() as (callback, planned):
        planned(SCALES)
        for step in (1, 2):
            callback(record(step, side=400))
            clock.now += 2
    places, updates, data = zip(*kernel, strict=True)
    assert len(set(places)) == 1 and updates == (False, True, True)
    assert data[2] == {}
    page, text = data[1]["text/html"], data[1]["text/plain"]
    assert text == "17%  32 px, step 2 of 6, 20 s left"
    assert '<progress value="0.1667"' in page and "step 2 of 6, 20 s left" in page and "total 3.5" in page
    kind, picture = page.partition('<img src="data:')[2].partition('"')[0].split(";base64,")
    assert kind == "image/jpeg"
    assert Image.open(io.BytesIO(base64.b64decode(picture))).size == (256, 128)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_ends_a_run_clears_it_too(kernel, clock, error):
    with pytest.raises(error), watched() as (callback, _):
        callback(record(1))
        raise error
    assert [data == {} for _, _, data in kernel] == [False, True]


def test_a_run_that_never_began_leaves_no_trace(kernel):
    with pytest.raises(ValueError), watched():
        raise ValueError
    with watched(None, False) as found:
        assert found == (None, None)
    assert kernel == []


def test_on_a_terminal_there_is_a_bar(capsys, clock):
    with watched(None, True) as (callback, planned):
        planned(SCALES)
        callback(record(1))
        clock.now += 2
        callback(record(2))
        callback(record(3, figures={"tv": 0.1}))  # ended early, which Ctrl-C always could
    out, error = capsys.readouterr()
    assert out == "" and "32 px, step 2 of 6, 20 s left  17%|" in error and "total 3.5" in error
    assert error.rpartition("\r")[0].rpartition("\r")[2].strip() == ""


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Runs a cell in a kernel of this interpreter; returns [(kind, content)] of all that it sends."""
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")  # jupyter_core warns when imported unless this is set
    for variable in ("JUPYTER_DATA_DIR", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")

    def run(source):
        sent = []
        client.execute_interactive(
            source, timeout=300, store_history=False, allow_stdin=False,
            output_hook=lambda message: sent.append((message["msg_type"], message["content"])),
        )
        return [(kind, content) for kind, content in sent if kind not in ("status", "execute_input")]

    yield run
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.slow
def test_a_real_kernel_shows_the_run_and_then_the_picture_alone(notebook, tmp_path, photo, painting):
    for name, picture in (("photo", photo), ("painting", painting)):
        Image.fromarray(to_uint8(picture)).save(tmp_path / f"{name}.png")
    notebook(f"""
import os, signal
os.chdir({str(tmp_path)!r})
import tfstyle
settings = dict(method="optimize", size=48, steps=4, content_layers="relu2_1", style_layers=("relu1_1", "relu2_1"))
tfstyle.stylize("photo.png", "painting.png", **settings)
""")
    sent = notebook('print("before"); tfstyle.stylize("photo.png", "painting.png", **settings)')
    kinds, contents = zip(*sent, strict=True)
    assert kinds[:2] == ("stream", "display_data") and kinds[-2:] == ("update_display_data", "execute_result")
    first, last, result = (contents[place]["data"] for place in (1, -2, -1))
    assert "48 px, step 1 of 4" in first["text/html"] and "data:image/jpeg" in first["text/html"]
    assert last == {} and "image/png" in result

    stopping = "lambda record: record.step == 2 and not record.figures and signal.raise_signal(signal.SIGINT)"
    sent = notebook(f'tfstyle.stylize("photo.png", "painting.png", callback={stopping}, **settings)')
    error = next(content for kind, content in sent if kind == "error")
    assert error["ename"] == "KeyboardInterrupt" and error["evalue"] == "stopped at step 2 of 4"
    assert [content["data"] for kind, content in sent if "display_data" in kind][-1] == {}
    assert "execute_result" not in [kind for kind, _ in sent]
    sent = notebook('tfstyle.stylize("photo.png", "painting.png", progress=False, **settings)')
    assert not [kind for kind, _ in sent if "display_data" in kind]


def test_parts():
    assert previews.parts({"content/a": 1.0, "content/b": 2.0, "style/a": 4.0, "tv": 8.0}) == {
        "total": 15.0, "content": 3.0, "style": 4.0, "tv": 8.0,
    }
    assert previews.parts({"tv": 1.0}) == {"total": 1.0, "content": 0, "style": 0, "tv": 1.0}
