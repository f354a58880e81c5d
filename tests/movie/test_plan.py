"""What is asked for a video: what cannot work, and what a run is known again by."""

import importlib.metadata
import os

import numpy as np
import pytest

from tfstyle.movie import loop as movie
from tfstyle.movie.plan import identity, planned
from tfstyle.movie.settings import MovieSettings, recipe_fields, split_settings


def test_what_cannot_work_is_said_before_any_work(source, output, painting, tmp_path, refusal, stand_in):
    call = movie.stylize_video
    assert "is the video itself" in refusal(call, source, painting, source)
    assert "unknown extension '.avi'" in refusal(call, source, painting, "out.avi")
    assert "there is no folder" in refusal(call, source, painting, str(tmp_path / "none" / "out.mp4"))
    os.mkdir(tmp_path / "folder.mp4")
    assert "is a folder" in refusal(call, source, painting, str(tmp_path / "folder.mp4"))
    assert "There is no style picture" in refusal(call, source, None, output)
    assert "give no style picture" in refusal(call, source, painting, output, model="night")
    assert "one weight for" in refusal(call, source, painting, output, weights=[1, 2])
    assert "did you mean 'stability'?" in refusal(call, source, painting, output, stabilty=0.5)
    assert "from 0 to 1" in refusal(call, source, painting, output, stability=1.5)
    assert "cannot hold the sound" in refusal(call, source, painting, str(tmp_path / "out.webm"))
    assert "short side would be" in refusal(call, source, painting, output, size=16)
    assert "style picture 'none.jpg' does not exist" in refusal(call, source, "none.jpg", output)
    for wrong in (None, 5, b"in.mp4"):
        kind = type(wrong).__name__
        said = refusal(call, wrong, painting, output)
        assert said == f"the video must be a path (str or pathlib.Path); received {kind}."
        said = refusal(call, source, painting, wrong)
        assert said == f"the output must be a path (str or pathlib.Path); received {kind}."
    assert refusal(call, source, painting, output, callback=5) == "callback must be a function; received int."
    assert stand_in.plans == [] and sorted(os.listdir(tmp_path)) == ["folder.mp4", "in.mp4"]



def test_settings_of_each_method(refusal):
    assert split_settings({}) == (MovieSettings(), None)
    movie_settings, recipe = split_settings({"method": "optimize", "steps": (9, 5), "strength": 0.5, "size": 64})
    assert (movie_settings.size, recipe.size, recipe.steps, recipe.strength) == (64, None, (9, 5), 0.5)
    assert "steps is a setting of the method optimize, not of fast; " in refusal(split_settings, {"steps": 9})
    assert "later_steps is a setting" in refusal(split_settings, {"later_steps": 9})
    assert refusal(split_settings, {"method": "optimize", "model": "night"}) == (
        "model is a setting of the method fast, not of optimize; use that method or leave model out."
    )
    assert "setting must be one of" in refusal(split_settings, {"method": "optimize", "init": "noise"})
    assert not {field.name for field in recipe_fields()} & {"size", "strength", "init", "precision"}


def test_frames_go_through_one_pass_whole(refusal):
    assert split_settings({"tiled": "no"})[0].tiled == "no"
    assert split_settings({"method": "optimize", "tiled": "yes"})[1].tiled == "yes"
    assert "tiled yes needs the method optimize" in refusal(split_settings, {"tiled": "yes"})


@pytest.mark.parametrize("handle", [False, True])
def test_what_a_model_of_another_make_has_not(source, output, painting, tmp_path, refusal, handle):
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "saved_model.pb").touch()
    model = "https://tfhub.dev/maker/model/1" if handle else str(folder)
    for style, changed in (
        (painting, {"strength": 0.5}), ([painting, painting], {}), (np.zeros(100, np.float32), {}),
    ):
        said = refusal(planned, source, style, output, method="fast", model=model, **changed)
        assert said.startswith(f"The model {model!r} takes one style picture at strength 1; codes, mixed styles and ")
    said = refusal(planned, source, painting, output, method="fast", model=model, precision="bfloat16")
    assert said.endswith("computes in its own precision; use the precision auto.")
    plan = planned(source, [painting], output, method="fast", model=model, style_scale=0.5)
    np.testing.assert_array_equal(plan.styles[0], painting)


def test_styles_are_seen_at_the_size_that_is_painted(source, output, painting, monkeypatch):
    monkeypatch.setattr("tfstyle.look.WORKING_SIZE", 32)
    for photoreal, side in ((False, 64), (True, 32)):
        plan = planned(source, painting, output, method="fast", photoreal=photoreal)
        assert max(plan.styles[0].shape) == side


def test_a_run_is_known_by_versions_and_by_files_of_weights(source, output, painting, tmp_path, monkeypatch):
    def told():
        return identity(planned(source, painting, output, method="optimize", network_weights=str(weights)))

    def changed(before):
        now = told()
        return [name for name in now if now[name] != before[name]]

    weights = tmp_path / "vgg.npz"
    weights.touch()
    before = told()
    assert changed(before) == []
    os.utime(weights, (1, 1))
    assert changed(before) == ["the model"]
    before, real = told(), importlib.metadata.version
    for package in ("tensorflow", "keras"):
        with monkeypatch.context() as patch:
            patch.setattr(importlib.metadata, "version", lambda name: "0" if name == package else real(name))
            assert changed(before) == ["the installed versions"]
