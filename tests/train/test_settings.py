"""Settings of the trainings: every one is explained, checked and typed; what a resumed run must agree in."""

import dataclasses

import pytest

from tfstyle.checks import InputError
from tfstyle.cli import flags
from tfstyle.train.checkpoint import check_same_run
from tfstyle.train.perceptual_settings import StylePace, StyleSettings, SuperResPace, SuperResSettings
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
PAIRS = (CLASSES, (StylePace, StyleSettings), (SuperResPace, SuperResSettings))
ALL = [field for pair in PAIRS for cls in pair for field in dataclasses.fields(cls)]


@pytest.mark.parametrize("field", ALL, ids=lambda field: field.name)
def test_every_field_tells_what_it_is(field):
    meta = field.metadata
    assert len(meta["text"]) > 10 and not meta["text"].endswith(".")
    assert meta["group"] in ("run", "batch", "loss", "network")
    if any(kind in str(field.type) for kind in ("int", "float")):
        assert meta["low"] is not None


@pytest.mark.parametrize("pair", PAIRS)
def test_no_two_settings_share_a_flag(pair):
    names = [field.name for cls in pair for field in dataclasses.fields(cls)]
    assert len(set(names)) == len(names) and not {"run", "style", "trained", "named", "painting"} & set(names)


def test_paces_differ_in_their_defaults_alone():
    for cls, steps, rate, warmup in ((StylePace, 2400, 1e-3, 50), (SuperResPace, 20000, 1e-3, 200)):
        pace = cls()
        assert isinstance(pace, TrainSettings)
        assert (pace.steps, pace.learning_rate, pace.warmup) == (steps, rate, warmup)
        for field, base in zip(dataclasses.fields(cls), dataclasses.fields(TrainSettings), strict=True):
            assert (field.name, str(field.type), field.metadata) == (base.name, str(base.type), base.metadata)
        with pytest.raises(InputError, match="^steps must be a whole number from 1 to 1e"):
            cls(steps=0)
        given = {"steps": 7, "learning_rate": 0.5, "warmup": 3, "average": 0.5}
        assert run_of(cls(**given)) == run_of(TrainSettings(**given))


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
     "measure_styles needs the predictor vgg19, since inception_v3 has to see the paintings; leave it out."),
    ({"predictor": "inception_v3", "style_crop": 74},
     "style_crop must be at least 75 for the predictor inception_v3; received 74."),
    ({"imagenet": True}, "imagenet needs the predictor inception_v3; use that too, or leave imagenet out."),
])
def test_settings_that_do_not_fit_together(given, sentence):
    with pytest.raises(InputError) as error:
        ArbitrarySettings(**given)
    assert str(error.value) == sentence


def test_choices_are_those_of_the_networks_for_one_style():
    from tfstyle.nets.feedforward import NETWORKS, NORMALIZATIONS, FeedForwardConfig
    from tfstyle.nets.vgg import layer_info

    meta = {field.name: field.metadata for field in dataclasses.fields(StyleSettings)}
    assert set(meta["network"]["choices"]) < set(NETWORKS) and meta["normalization"]["choices"] == NORMALIZATIONS
    for network in meta["network"]["choices"]:
        s = StyleSettings(network=network)
        FeedForwardConfig(s.network, s.widths, s.blocks, s.normalization)
        for judge in meta["loss_network"]["choices"]:
            assert all(layer_info(name, judge)[2] <= 16 for name in (s.content_layer, *s.style_layers))


def test_choices_are_those_of_the_networks_that_enlarge():
    from tfstyle.nets.superres import FACTORS, NORMALIZATIONS, SuperResConfig
    from tfstyle.nets.vgg import layer_info

    meta = {field.name: field.metadata for field in dataclasses.fields(SuperResSettings)}
    assert meta["normalization"]["choices"] == NORMALIZATIONS
    for factor in FACTORS:
        s = SuperResSettings(factor=factor)
        assert SuperResConfig(s.factor, s.width, s.blocks, s.normalization, s.residual) == SuperResConfig(factor)
        assert s.crop // factor >= 5  # half of the first convolution is reflected around
    for judge in meta["loss_network"]["choices"]:
        for layer in SuperResSettings().feature_layers:
            layer_info(layer, judge)
    with pytest.raises(InputError, match="feature_layers is empty"):
        SuperResSettings(feature_layers=())


def test_layers_that_are_left_out_are_ours_or_the_paper_s():
    ours, paper = StyleSettings(), StyleSettings(network="paper")
    assert (ours.content_layer, paper.content_layer) == ("relu4_2", "relu3_3")
    assert ours.style_layers == ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
    assert paper.style_layers == ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
    own = StyleSettings(network="paper", content_layer="relu2_2", style_layers="relu1_1")
    assert (own.content_layer, own.style_layers) == ("relu2_2", ("relu1_1",))


@pytest.mark.parametrize(("settings", "given", "sentence"), [
    (StyleSettings, {"crop": 40}, "crop must be a multiple of 16; received 40."),
    (StyleSettings, {"network": "fast-style-transfer"},
     "network must be one of 'compact', 'paper'; received 'fast-style-transfer'."),
    (StyleSettings, {"crop": 512}, "photo_side (400) is under crop (512), so that photographs would be reduced and "
     "enlarged again; raise it, best to one and a half crops."),
    (StyleSettings, {"network": "paper", "crop": 32},
     "crop must be at least 41 for the network paper with 5 blocks, which reflects 40 px; received 32."),
    (StyleSettings, {"style_size": 31}, "style_size must be a whole number from 32 to 4096; received 31."),
    (SuperResSettings, {"factor": 2}, "factor must be 4 or 8; received 2."),
    (SuperResSettings, {"crop": 100}, "crop must be a multiple of 16; received 100."),
    (SuperResSettings, {"factor": 8, "crop": 32},
     "crop must be at least 40 for the factor 8, so that 5 small pixels are left; received 32."),
    (SuperResSettings, {"photo_side": 200}, "photo_side (200) is under crop (288), so that photographs would be "
     "reduced and enlarged again; raise it, best to one and a half crops."),
    (SuperResSettings, {"feature_weight": 0},
     "feature_weight and pixel_weight are both 0, so that nothing is learned; raise one."),
    (SuperResSettings, {"residual": 1}, "residual must be True or False; received 1."),
])
def test_settings_of_the_other_networks_that_do_not_fit(settings, given, sentence):
    with pytest.raises(InputError) as error:
        settings(**given)
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

    for cls in (one for pair in PAIRS for one in pair):
        parser = argparse.ArgumentParser()
        flags.add_settings(parser, cls)
        fields = [field for field in dataclasses.fields(cls) if field.name != "measure_styles"]  # yes, no, or left out
        words = " ".join(flags.typed(field.name, field.default) for field in fields).split()
        found = flags.given(parser.parse_args(words), cls)
        assert cls(**found) == cls() and len(found) == len(fields)
