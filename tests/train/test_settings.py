"""Settings of the trainings: every one is explained, checked and typed; what a resumed run must agree in."""

import dataclasses

import pytest

from tfstyle.checks import InputError
from tfstyle.cli import flags
from tfstyle.train.checkpoint import check_same_run
from tfstyle.train.settings import (
    BEFORE,
    CONTENT_LAYERS,
    FREE,
    INCEPTION_SIDE,
    PREDICTORS,
    ArbitrarySettings,
    TrainSettings,
    run_of,
)

CLASSES = (TrainSettings, ArbitrarySettings)
FIELDS = [field for cls in CLASSES for field in dataclasses.fields(cls)]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_field_tells_what_it_is(field):
    meta = field.metadata
    assert len(meta["text"]) > 10 and not meta["text"].endswith(".")
    assert meta["group"] in ("run", "batch", "loss", "network")
    if any(kind in str(field.type) for kind in ("int", "float")):
        assert meta["low"] is not None


def test_no_two_settings_share_a_flag():
    names = [field.name for field in FIELDS]
    assert len(set(names)) == len(names) and "run" not in names and "style" not in names


def test_choices_are_those_of_the_network():
    from tfstyle.nets.arbitrary import PREDICTORS as NETS
    from tfstyle.nets.arbitrary import ArbitraryConfig
    from tfstyle.nets.inception import LEAST_SIDE
    from tfstyle.nets.vgg import layer_info

    assert PREDICTORS == NETS and INCEPTION_SIDE == LEAST_SIDE
    assert all(layer_info(name)[2] <= 16 for name in CONTENT_LAYERS)
    settings = ArbitrarySettings()
    shape = ArbitraryConfig(settings.widths, settings.blocks, settings.code, settings.hidden, settings.predictor)
    assert shape == ArbitraryConfig()  # the defaults train the network that is shipped


@pytest.mark.parametrize("given, sentence", [
    ({"crop": 40}, "crop must be a multiple of 16; received 40."),
    ({"photos": 1, "styles": 1}, "photos x styles must be at least 2, of which one serves identity; raise one."),
    ({"crop": 512}, "photo_side (400) is under crop (512), so that photographs would be reduced and enlarged again; "
                    "raise it, best to one and a half crops."),
    ({"widths": (4, 4, 4)}, "widths must be four numbers; received 3."),
    ({"style_sizes": (100,)}, "style_sizes must be at least one number, none under style_crop (224)."),
    ({"style_sizes": ()}, "style_sizes must be at least one number, none under style_crop (224)."),
    ({"augment": 1.5}, "augment must be a number from 0 to 1; received 1.5."),
    ({"predictor": "inception_v3", "measure_styles": True},
     "measure_styles needs predictor='vgg19', since inception_v3 has to see the paintings; leave it out."),
    ({"predictor": "inception_v3", "style_crop": 74},
     "style_crop must be at least 75 for predictor='inception_v3'; received 74."),
    ({"imagenet": True}, "imagenet needs predictor='inception_v3'; give that too, or leave imagenet out."),
])
def test_settings_that_do_not_fit_together(given, sentence):
    with pytest.raises(InputError) as error:
        ArbitrarySettings(**given)
    assert str(error.value) == sentence


def test_sizes_of_paintings_follow_the_crop():
    assert ArbitrarySettings().style_sizes == (224, 320)
    assert ArbitrarySettings(style_crop=70).style_sizes == (70, 100)


def test_a_predictor_that_sees_paintings_has_them_cropped():
    assert ArbitrarySettings().measure_styles is None
    assert ArbitrarySettings(predictor="inception_v3").measure_styles is False


def test_runs_from_before_a_setting_are_runs_with_its_default():
    now = run_of(ArbitrarySettings(), TrainSettings())
    assert BEFORE.items() <= now.items()
    then = {name: value for name, value in now.items() if name not in BEFORE}
    check_same_run("c", then, now)
    with pytest.raises(InputError, match="^c is of a run in which predictor was 'vgg19', not 'inception_v3'; "):
        check_same_run("c", then, now | {"predictor": "'inception_v3'"})


def test_a_run_is_its_settings_and_data_but_for_its_length():
    pace, settings = TrainSettings(steps=10, log_every=3), ArbitrarySettings()
    run = run_of(settings, pace, the_paintings="abc")
    assert run["the paintings"] == "'abc'" and run["crop"] == "128" and run["learning_rate"] == "0.0015"
    free = dataclasses.replace(pace, steps=99, log_every=1, preview_every=1, checkpoint_every=1, workers=3)
    assert run_of(settings, free, the_paintings="abc") == run
    names = {field.name for field in FIELDS}
    assert set(run) == names - set(FREE) | {"the paintings"} and set(FREE) < names
    for changed in (run_of(settings, pace, the_paintings="abd"),
                    run_of(settings, dataclasses.replace(pace, learning_rate=1e-3), the_paintings="abc"),
                    run_of(dataclasses.replace(settings, seed=1), pace, the_paintings="abc")):
        assert changed != run and changed.keys() == run.keys()


def test_every_default_can_be_typed():
    import argparse

    for cls in CLASSES:
        parser = argparse.ArgumentParser()
        flags.add_settings(parser, cls)
        fields = [field for field in dataclasses.fields(cls) if field.name != "measure_styles"]  # yes, no, or left out
        words = " ".join(flags.typed(field.name, field.default) for field in fields).split()
        found = flags.given(parser.parse_args(words), cls)
        assert cls(**found) == cls() and len(found) == len(fields)
