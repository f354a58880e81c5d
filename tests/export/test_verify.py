"""What is compared before a SavedModel is kept, and how far off it may be."""

import contextlib
import io
import itertools
import types

import numpy as np
import pytest
import tensorflow as tf

from tfstyle import images
from tfstyle.export import ExportError, loaders, single, verify
from tfstyle.export.settings import ExportSettings
from tfstyle.look import Look, blended, finished

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def answers(monkeypatch):
    """Puts models of next to nothing in place of Python's and of those in the loaders; returns errors to be made."""
    errors = {}

    class Stylizer:
        def __init__(self, model, precision):
            pass

        def style_code(self, style, size):
            assert max(style.shape[:2]) == size
            return style.mean((0, 1))

        def stylize_batch(self, contents, codes, strength):
            return contents * codes[:, None, None] ** strength

    def call_of(loader):
        python = Stylizer("", "")

        def look_of(content_image, style_code, masks, strength, color):
            (photo,), (codes,), (masks,) = content_image, style_code, masks
            look = Look(strength=float(strength[0]), color=color[0], color_when="after")
            shares = masks / np.maximum(masks.sum(axis=0), 1)
            layers = python.stylize_batch(np.stack([photo] * len(codes)), codes, look.strength)
            return finished(blended(layers, shares), photo, look, shares)

        def call(signature, content_image=None, style_image=None, style_code=None, strength=1.0, **files):
            if signature == "stylize_look":
                found = look_of(content_image, style_code, strength=strength, **files)
                return {"stylized_image": found[None] + errors.get((loader, signature), 0)}
            if files:
                content, style = (images.read(files[f"{name}_bytes"][0]).rgb[None] for name in ("content", "style"))
                painted = call("stylize", content_image=content, style_image=style, strength=strength)["stylized_image"]
                file = io.BytesIO()
                images.to_pil((painted[0] + 500 * errors.get((loader, signature), 0)).clip(0, 1)).save(file, "PNG")
                return {"stylized_bytes": [file.getvalue()]}
            if style_code is None:
                style_code = np.stack([python.style_code(style, max(style.shape[:2])) for style in style_image])
            if signature == "style_code":
                return {"style_code": style_code + errors.get((loader, signature), 0)}
            painted = python.stylize_batch(content_image, style_code, strength)
            return {"stylized_image": painted + errors.get((loader, signature), 0)}

        return call

    def hub(path):
        call = call_of("hub")
        return lambda content, style: call("call", content_image=content, style_image=style)["stylized_image"]

    monkeypatch.setattr(verify, "ArbitraryStylizer", Stylizer)
    monkeypatch.setattr(loaders, "hub_call", hub)
    monkeypatch.setattr(loaders, "signature_calls", lambda path: call_of("tensorflow"))
    monkeypatch.setattr(loaders, "in_session", lambda path: contextlib.nullcontext(call_of("session")))
    return errors


WAYS = [("hub", "call"), *itertools.product(
    ("tensorflow", "session"), ("serving_default", "stylize", "style_code", "stylize_code", "stylize_look")
)]


@pytest.mark.parametrize(("loader", "signature"), WAYS)
def test_every_signature_is_compared_in_every_loader(answers, loader, signature):
    differences = verify.check_arbitrary("", ExportSettings())
    whole = {what: value for what, value in differences.items() if "bytes" not in what}
    assert len(whole) == len(WAYS) and max(whole.values()) <= 1e-6
    assert {value for what, value in whole.items() if "look" not in what} == {0.0}
    assert max(differences.values()) <= 0.51 / 255
    answers[loader, signature] = np.float32(2e-4)
    words = r" not kept: .* differs from Python by 0\.0002, more than [14]e-05\.$"
    with pytest.raises(ExportError, match=words) as error:
        verify.check_arbitrary("", ExportSettings())
    assert (loader if loader == "hub" else signature) in str(error.value)
    answers[loader, signature] = np.float32(5e-6)
    fine = verify.check_arbitrary("", ExportSettings())
    assert max(value for what, value in fine.items() if "bytes" not in what) == pytest.approx(5e-6, rel=0.1)


@pytest.mark.parametrize("loader", ["tensorflow", "session"])
def test_files_are_compared_too(answers, loader):
    answers[loader, "stylize_bytes"] = np.float32(2e-5)  # times 500: two and a half levels
    words = f"{loader} stylize_bytes differs from Python by 0.01[0-9]*, more than 0.0024"
    with pytest.raises(ExportError, match=words):
        verify.check_arbitrary("", ExportSettings())


@pytest.mark.slow
def test_an_optimizer_that_computes_something_else_is_told(gatys_saved):
    """Its pyramid begins at 24 px: what Python paints in one scale, it paints in three."""
    words = "not kept: tensorflow, 1 steps at 128 px differs from Python by 0.*more than 1e-05"
    with pytest.raises(ExportError, match=words):
        verify.check_gatys(gatys_saved)


@pytest.mark.parametrize("difference", [1.1e-5, np.nan, np.inf])
def test_what_is_too_far_off(difference):
    told = {}
    for fine in (1e-6, 1e-5, 1e-7):
        verify._tell(told, "it", fine, 1e-5)
    assert told == {"it": 1e-5}
    with pytest.raises(ExportError, match=f"it differs from Python by {difference:.2g}, more than 1e-05"):
        verify._tell(told, "it", difference, 1e-5)


@pytest.mark.parametrize(("engine", "loader", "signature"), [
    ("style", "hub", "call"),
    *((engine, loader, signature) for engine, verb in (("style", "stylize_bytes"), ("superres", "enlarge_bytes"))
      for loader in ("tensorflow", "session") for signature in ("serving_default", verb)),
])
def test_networks_of_one_picture_are_compared_in_every_loader(monkeypatch, engine, loader, signature):
    names, error, shapes = single.NAMES[engine], {}, []

    def network(picture):
        shapes.append(picture.shape[1:3])
        return tf.constant(picture)

    def answer(where, what, picture):
        return picture + np.float32(error.get((where, what), 0))

    def call_of(where):
        def call(what, **inputs):
            (name, value), = inputs.items()
            if name == names.picture:
                return {names.answer: answer(where, what, value)}
            file = io.BytesIO()
            images.to_pil(answer(where, what, images.read(value[0]).rgb).clip(0, 1)).save(file, "PNG")
            return {names.answer_file: [file.getvalue()]}

        return call

    least = 90 if engine == "style" else 20
    config = types.SimpleNamespace(least_side=least)
    monkeypatch.setattr(single, "load", lambda name, settings, dtype: (network, config))
    monkeypatch.setattr(loaders, "hub_call", lambda path: lambda picture: answer("hub", "call", picture))
    monkeypatch.setattr(loaders, "signature_calls", lambda path: call_of("tensorflow"))
    monkeypatch.setattr(loaders, "in_session", lambda path: contextlib.nullcontext(call_of("session")))
    told = verify.check_single("", engine, ExportSettings())
    assert len(told) == 5 and max(value for what, value in told.items() if "bytes" not in what) == 0
    assert len(set(shapes)) > 1 and min(map(min, shapes)) == least
    error[loader, signature] = 0.01 if "bytes" in signature else 2e-4
    where = loader if loader == "hub" else f"{loader} {signature}"
    with pytest.raises(ExportError, match=f"not kept: {where} differs from Python by 0.0"):
        verify.check_single("", engine, ExportSettings())
