"""The client over both APIs: what it sends, what it makes of the answers, and what it refuses.

The models behind are those of tests/serving/tiny.py, whose answers NumPy can tell.
"""

import concurrent.futures
import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tfstyle import images
from tfstyle.checks import InputError
from tfstyle.serving import Client
from tfstyle.serving.requests import _png

SIDE = 48


def floats(image):
    return np.asarray(image, np.float32)[..., :3] / 255


@pytest.fixture(scope="module")
def photo():
    """(36, 48, 3) uint8"""
    y, x = np.mgrid[0:1:36j, 0:1:48j]
    return images.to_uint8(np.stack([y, x, 0.5 + 0.5 * np.sin(9 * x * y)], -1))


@pytest.fixture(scope="module")
def painting():
    """(40, 32, 3) uint8"""
    y, x = np.mgrid[0:1:40j, 0:1:32j]
    return images.to_uint8(np.stack([0.2 + 0 * x, 0.5 + 0.3 * np.sin(20 * y), 0.9 - 0.4 * x], -1))


def seen(picture, size):
    return images.read(picture, size=size).rgb


@pytest.fixture(scope="module")
def wanted(tiny, photo, painting):
    """What the models make of photo and painting: a function of the strength and of the size of the style."""
    def paint(strength=1.0, style_size=SIDE):
        return tiny.painted(photo / np.float32(255), tiny.code(seen(painting, style_size)), strength)

    return paint


def check(image, wanted, within=0.5):
    assert isinstance(image, Image.Image) and image.size == wanted.shape[1::-1]
    np.testing.assert_allclose(floats(image), wanted, atol=(within + 0.1) / 255)


# One pass


def test_every_kind_of_picture(client, engine, photo, painting, wanted, tmp_path):
    path, file = tmp_path / "photo.png", io.BytesIO()
    Image.fromarray(photo).save(path)
    Image.fromarray(painting).save(file, "PNG")
    ways = [(path, painting), (str(path), file.getvalue()), (Image.fromarray(photo), Image.fromarray(painting)),
            (photo / np.float32(255), [painting]), (path.read_bytes(), images.read(painting))]
    for content, style in ways:
        image = client.stylize(content, style, size=SIDE)
        assert image.mode == "RGB"
        check(image, wanted())
    assert engine.asked == ["stylize_bytes"] * len(ways)


@pytest.mark.parametrize("strength", [0.3, 1])
def test_strength(client, engine, photo, painting, wanted, strength):
    check(client.stylize(photo, painting, strength=strength, size=None), wanted(strength))
    assert engine.asked == ["stylize_bytes"]


def test_no_strength_is_the_photo_and_asks_nobody(client, engine, photo, painting, refusal):
    np.testing.assert_array_equal(client.stylize(photo, painting, strength=0, size=None), photo)
    assert "style picture" in refusal(client.stylize, photo, b"no picture", strength=0)
    assert engine.asked == []


def test_alpha_orientation_and_size(client, tiny, photo, painting):
    alpha = images.to_uint8(np.linspace(0, 1, 48) * np.ones((36, 1)))
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(np.dstack([photo, alpha])).save(file, "PNG", exif=exif)
    image = client.stylize(file.getvalue(), painting, size=32)
    turned = images.read(file.getvalue(), size=32)
    assert image.mode == "RGBA" and image.size == (24, 32)
    np.testing.assert_array_equal(np.asarray(image)[..., 3], images.to_uint8(turned.alpha))
    check(image, tiny.painted(turned.rgb, tiny.code(seen(painting, 32))))


def test_the_size_at_which_the_style_is_looked_at(client, engine, photo, painting, wanted):
    for strength in (0.6, 1):
        check(client.stylize(photo, painting, style_size=24, strength=strength, size=SIDE), wanted(strength, 24))
    assert engine.asked == ["stylize"] * 2
    assert np.abs(wanted(1, 24) - wanted()).max() > 2 / 255


def test_a_long_painting_is_sent_as_the_library_looks_at_it(client, engine, tiny, photo):
    strip = np.full((16, 100, 3), 99, np.uint8)  # at 48 px its short side would be 8
    check(client.stylize(photo, strip, size=None), tiny.painted(photo / np.float32(255), tiny.code(seen(strip, 97))))
    assert engine.asked == ["stylize_bytes"]


def test_a_small_painting_is_enlarged_by_the_server(client, engine, photo, painting, monkeypatch):
    """Else it could be over the server's bound, beside a photo that is not."""
    sent = []
    monkeypatch.setattr("tfstyle.serving.requests._png", lambda picture: sent.append(picture.shape) or _png(picture))
    client.stylize(photo, painting, size=None)
    client.optimize(photo, painting, size=None)
    client.stylize(photo, painting, size=32)
    assert sent == [(36, 48, 3), (40, 32, 3), (36, 48, 3), (40, 32, 3), (24, 32, 3), (32, 26, 3)]
    assert engine.asked == ["stylize_bytes", "optimize_bytes", "stylize_bytes"]


def test_the_method_as_tfstyle_stylize_has_it(client, engine, photo, painting, refusal):
    image = client.stylize(photo, painting, "optimize", None, steps=40, style_weight=2)
    np.testing.assert_array_equal(image, client.optimize(photo, painting, steps=40, style_weight=2, size=None))
    assert engine.asked == ["optimize_bytes"] * 2
    assert refusal(client.stylize, photo, painting, "optimise") == (
        "method must be one of 'fast', 'optimize'; received 'optimise'; did you mean 'optimize'?"
    )
    there = "there are steps, content_weight, style_weight, tv_weight, model, color, color_when, photoreal."
    for name, value in (("strength", 0.5), ("history", 4)):
        assert refusal(client.stylize, photo, painting, "optimize", **{name: value}) == (
            f"{name} is no setting of the method optimize on a server; {there}"
        )
    assert refusal(client.stylize, photo, painting, steps=4).startswith("steps is no setting of the method fast on ")
    assert refusal(client.stylize, photo, painting, tiled="yes").startswith("tiled is no setting of the method fast ")
    assert refusal(client.stylize, photo, painting, "optimize", weights=[1]).startswith("weights are for several ")


def test_codes(client, engine, tiny, photo, painting, wanted):
    code = client.style_code(painting, 40)
    assert code.shape == (4,) and code.dtype == np.float32
    np.testing.assert_allclose(code, tiny.code(painting / np.float32(255)), atol=1e-6)
    check(client.stylize(photo, code, size=None), wanted(1, 40))
    assert engine.asked == ["style_code", "stylize_code"]


def test_several_styles_and_codes_at_any_strength(client, engine, tiny, photo, painting):
    other = tiny.code(np.ones((16, 16, 3), np.float32))
    mixed = 0.75 * tiny.code(seen(painting, 32)) + 0.25 * other
    content = photo / np.float32(255)
    for strength in (1, 0.4):
        image = client.stylize(photo, [painting, other], weights=[3, 1], strength=strength, style_size=32, size=None)
        check(image, tiny.painted(content, mixed, strength))
    assert engine.asked == ["style_code", "stylize_code", "style_code", "style_code", "stylize_code"]
    check(client.stylize(photo, other, strength=0.4, size=None), tiny.painted(content, other, 0.4))


def test_both_ways_agree(urls, engine, photo, painting):
    calls = [
        lambda client: client.stylize(photo, painting, size=SIDE, strength=0.7),
        lambda client: client.stylize(photo, painting, size=40, style_size=24),
        lambda client: client.stylize(photo, [painting, photo], size=SIDE, strength=0.2),
        lambda client: client.style_code(painting, 64),
        lambda client: client.optimize(photo, painting, size=SIDE),
        lambda client: client.status(),
    ]
    with Client(urls["http"]) as rest, Client(urls["grpc"]) as grpc:
        for call in calls:
            np.testing.assert_array_equal(call(rest), call(grpc))


# The optimization and the state


def test_optimize(client, engine, tiny, photo, painting):
    style = seen(painting, SIDE)
    image = client.optimize(photo, [painting], size=None)  # the steps are left to the server
    check(image, tiny.optimized(photo / 255, style, tiny.DEFAULT_STEPS, 1, 6, 0.5))
    settings = {"steps": 400, "content_weight": 2, "style_weight": 3, "tv_weight": 0.25}
    alpha = np.full((36, 48), 77, np.uint8)
    image = client.optimize(np.dstack([photo, alpha]), painting, size=None, **settings)
    check(image, tiny.optimized(photo / 255, style, *settings.values()))
    assert image.mode == "RGBA" and engine.asked == ["optimize_bytes"] * 2
    assert (np.asarray(image)[..., 3] == 77).all()


def test_versions_labels_and_names(url, engine, photo, painting, trouble):
    for chosen in ({"version": 1}, {"label": "stable"}, {"model": "gatys"}):
        with Client(url, **chosen) as client:
            assert client.status() == {1: "AVAILABLE"}
            client.optimize(photo, painting, size=SIDE)
    for chosen, name in (({"version": 2}, "model 'arbitrary', version 2"), ({"model": "arbitary"}, "model 'arbitary'"),
                         ({"label": "new"}, "model 'arbitrary', label 'new'")):
        with Client(url, **chosen) as client:
            said = trouble(client.stylize, photo, painting)
            assert said.startswith(f"The server at {url} has no {name} (Servable not found for request: ")
            assert said == trouble(client.status)
    with Client(url) as client:
        assert client.status("gatys") == {1: "AVAILABLE"}
        assert "has no model 'gaty'" in trouble(client.status, "gaty")
        assert "has no model 'gaty'" in trouble(client.optimize, photo, painting, model="gaty")


# Refusals


def test_what_the_library_refuses_is_refused_here(client, engine, photo, painting, refusal, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # a picture here would be proposed in the place of one that is gone
    code = np.zeros(4, np.float32)
    for words, call in {
        "strength must be a number from 0 to 1; received 2.": {"strength": 2},
        "size must be a whole number of at least 16; received 8.": {"size": 8},
        "style_size must be a whole number of at least 16; received 8.": {"style_size": 8},
        "There must be one weight for the one style; received 2.": {"weights": [1, 2]},
        "There is no style picture; give one or more.": {"style": []},
        "content picture 'gone.png' does not exist; check the path.": {"content": "gone.png"},
        "style picture is empty (0 bytes); pass the bytes of a whole picture file.": {"style": b""},
        "content picture must be a path, the bytes of a picture file, a PIL image or an array; received NoneType.":
            {"content": None},
        "style picture is 9x9 px (width x height); use one of at least 16 px a side.": {"style": np.zeros((9, 9, 3))},
        "A style code must be float of shape (100,); received int64 of (4,).": {"style": np.arange(4)},
        "A style code holds NaN or infinite values; make it anew from its picture.": {"style": code + np.nan},
        "The style codes have unlike lengths, so they are of unlike networks; make them anew.":
            {"style": [code, code[:3]]},
    }.items():
        assert refusal(client.stylize, **({"content": photo, "style": painting} | call)) == words
    for words, call in {
        "steps must be a whole number of at least 1; received 0.": {"steps": 0},
        "tv_weight must be a number of at least 0; received -1.": {"tv_weight": -1},
        "The client has one style picture optimized; received 2.": {"style": [painting, painting]},
    }.items():
        assert refusal(client.optimize, **({"content": photo, "style": painting} | call)) == words
    assert refusal(client.style_code, painting, 9) == "style_size must be a whole number of at least 16; received 9."
    assert engine.asked == []


def test_what_the_model_refuses(client, engine, photo, painting, refusal):
    said = refusal(client.stylize, photo, painting, size=128)
    assert said == "The server refuses this: content_bytes must hold up to 10000 pixels."
    said = refusal(client.style_code, painting, 128)
    assert said == "The server refuses this: style_image must hold up to 10000 pixels."
    said = refusal(client.optimize, photo, painting, steps=600, size=SIDE)
    assert said == "The server refuses this: steps must be from 1 to 500; received [600]."
    assert refusal(client.stylize, photo, np.zeros(7, np.float32), size=SIDE).startswith("The server refuses this: ")
    assert engine.asked == ["stylize_bytes", "style_code", "optimize_bytes", "stylize_code"]


def test_another_kind_of_model(url, engine, photo, painting, trouble, monkeypatch):
    with Client(url, model="gatys") as client:
        said = trouble(client.stylize, photo, painting)
        assert said.startswith(f"The server at {url} has another kind of model 'gatys' (Serving signature key")
        assert said.endswith("; serve the one that tfstyle export writes.")
    for outputs in ({"x": np.zeros((1, 20, 20, 3), np.float32)}, {"x": np.full((1, 36, 48, 3), np.nan, np.float32)},
                    {"x": np.array([b"no picture"], object)}, {"x": np.zeros(1), "y": np.zeros(1)}):
        monkeypatch.setattr(engine, "predict", lambda *_, outputs=outputs: outputs)
        with Client(url) as client:
            assert "its answer is not what this signature gives" in trouble(client.stylize, photo, painting, size=None)


# Many at a time, and where no TensorFlow is


def test_threads_share_a_client(client, photo, painting, wanted):
    strengths = np.linspace(0.1, 1, 64)

    def paint(strength):
        return client.stylize(photo, painting, strength=float(strength), size=None)

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        for strength, image in zip(strengths, pool.map(paint, strengths), strict=True):
            check(image, wanted(strength))


def test_a_closed_client(client, photo, painting, trouble):
    client.status()
    client.close()
    client.close()
    assert trouble(client.status) == "This client has been closed; make a new one."
    assert trouble(client.stylize, photo, painting) == "This client has been closed; make a new one."


def test_rest_needs_no_tensorflow(urls, engine, photo, painting, tmp_path):
    Image.fromarray(photo).save(tmp_path / "photo.png")
    Image.fromarray(painting).save(tmp_path / "painting.png")
    code = f"""
import sys
from tfstyle.serving import Client
with Client({urls["http"]!r}) as client:
    for options in ({{}}, {{"style_size": 32, "strength": 0.5}}):
        print(client.stylize("photo.png", "painting.png", size=32, **options).size)
    print(client.style_code("painting.png", 64).shape, client.optimize("photo.png", "painting.png", size=32).size)
    print(client.status())
print([name for name in ("tensorflow", "keras", "grpc", "tfstyle.stylizer") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["(32, 24)"] * 2 + ["(4,) (32, 24)", "{1: 'AVAILABLE'}", "[]"]


def test_grpc_without_its_packages(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.raises(InputError, match=r"^grpc:// addresses need gRPC \(.*\): pip install 'tfstyle\[grpc\]', or use"):
        Client("grpc://localhost:8500")
