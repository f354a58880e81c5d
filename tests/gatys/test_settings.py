import dataclasses
import math

import numpy as np
import pytest

from tfstyle.checks import InputError
from tfstyle.gatys import PRESETS, GatysSettings, preset
from tfstyle.losses import CONTENT_NORMALIZATIONS, STYLE_NORMALIZATIONS, STYLE_STATISTICS, TV_KINDS
from tfstyle.nets import vgg

FIELDS = dataclasses.fields(GatysSettings)
NUMBERS = [f for f in FIELDS if "float" in str(f.type) or "int" in str(f.type)]
CHOICES = [f for f in FIELDS if f.metadata["choices"]]
TEXTS = [f for f in FIELDS if f.type is str and not f.metadata["choices"]]


def by_name(field):
    return field.name


def message(function, **kwargs):
    with pytest.raises(InputError) as error:
        function(**kwargs)
    said = str(error.value)
    assert said.endswith((".", "?")) and "\n" not in said
    return said


def given(field, value):
    """What the field makes of one number: the number, or a tuple's only item."""
    extra = {"style_layers": ("relu1_1",)} if field.name == "style_layer_weights" else {}
    return getattr(GatysSettings(**{field.name: value}, **extra), field.name)


@pytest.mark.parametrize("field", FIELDS, ids=by_name)
def test_every_field_tells_what_it_is(field):
    meta = field.metadata
    assert len(meta["text"]) > 10 and not meta["text"].endswith(".")
    assert meta["group"] in ("picture", "loss", "optimizer", "network", "run", "look")
    assert set(meta) == {"text", "group", "choices", "low", "high"}


@pytest.mark.parametrize("field", NUMBERS, ids=by_name)
def test_numbers_keep_their_range(field):
    low, high = field.metadata["low"], field.metadata["high"]
    assert low is not None  # every number of ours has a least value
    whole = "int" in str(field.type)
    step = 1 if whole else 1e-9
    ends = [low] if high is None else [low, high]
    for end in ends:
        if (field.name, end) in (("content_weight", 0), ("style_layer_weights", 0)):
            continue
        kept = given(field, end)
        assert kept in (end, (end,))
    beyond = [low - step] if high is None else [low - step, high + max(step, step * high)]
    for value in [*beyond, math.nan, math.inf, "1", True]:
        said = message(GatysSettings, **{field.name: value})
        assert said.startswith(f"{field.name} must be a") and repr(value) in said


@pytest.mark.parametrize("field", NUMBERS, ids=by_name)
def test_whole_numbers_are_whole_and_the_others_floats(field):
    if "int" in str(field.type):
        assert "whole number" in message(GatysSettings, **{field.name: 17.5})
    else:
        kept = given(field, np.float32(0.5))
        assert type(kept[0] if isinstance(kept, tuple) else kept) is float


@pytest.mark.parametrize("field", CHOICES, ids=by_name)
def test_choices(field):
    for choice in field.metadata["choices"]:
        assert getattr(GatysSettings(**{field.name: choice}), field.name) == choice
    nearly = field.metadata["choices"][0] + "x"
    said = message(GatysSettings, **{field.name: nearly})
    assert said.startswith(f"{field.name} must be one of")
    assert said.endswith(f"received {nearly!r}; did you mean {field.metadata['choices'][0]!r}?")
    assert f"{field.name} must be one of" in message(GatysSettings, **{field.name: None})


def test_the_choices_are_those_of_the_functions_they_reach():
    choices = {f.name: f.metadata["choices"] for f in FIELDS}
    assert choices["style_statistic"] == tuple(STYLE_STATISTICS)
    assert set(choices["style_normalization"]) == set(STYLE_NORMALIZATIONS)
    assert set(choices["content_normalization"]) == set(CONTENT_NORMALIZATIONS)
    assert set(choices["tv_kind"]) == set(TV_KINDS)
    assert set(choices["pooling"]) == set(vgg.POOLING)
    assert set(choices["padding"]) == set(vgg.PADDING)


@pytest.mark.parametrize("field", TEXTS, ids=by_name)
def test_texts(field):
    assert getattr(GatysSettings(**{field.name: "given"}), field.name) == "given"
    for value in ("", None, 3, b"content"):
        assert message(GatysSettings, **{field.name: value}).startswith(f"{field.name} must be a text")


@pytest.mark.parametrize("name", ["normalized", "deterministic"])
@pytest.mark.parametrize("value", [1, 0, None, "yes"])
def test_flags(name, value):
    assert getattr(GatysSettings(**{name: True}), name) is True
    assert message(GatysSettings, **{name: value}) == f"{name} must be True or False; received {value!r}."


@pytest.mark.parametrize(
    ("given_value", "kept"),
    [(50, (50,)), ([30, 20], (30, 20)), (np.array([3, 2]), (3, 2)), ((5,), (5,)), (np.int64(7), (7,))],
)
def test_steps_are_a_tuple(given_value, kept):
    steps = GatysSettings(steps=given_value).steps
    assert steps == kept and all(type(n) is int for n in steps)


@pytest.mark.parametrize("value", [(), [], None, (10, 0), (10, 2.5), (10, "5"), object()])
def test_steps_refused(value):
    assert message(GatysSettings, steps=value).startswith("steps ")


def test_one_layer_may_be_given_by_its_name():
    settings = GatysSettings(content_layers="relu3_1", style_layers=["relu1_1", "pool2"])
    assert settings.content_layers == ("relu3_1",)
    assert settings.style_layers == ("relu1_1", "pool2")


@pytest.mark.parametrize(
    "wrong",
    [{"content_layers": (1,)}, {"content_layers": 4.2}, {"style_layers": (None,)}, {"style_layers": None}],
)
def test_layers_are_texts(wrong):
    assert message(GatysSettings, **wrong).startswith(f"{next(iter(wrong))} must be")


def test_a_layer_may_not_be_named_twice():
    said = message(GatysSettings, style_layers=("relu1_1", "relu2_1", "relu1_1"))
    assert said.startswith("style_layers ") and "'relu1_1'" in said


def test_layer_weights_go_with_the_layers():
    weights = (5, 4, 3, 2, 1)
    assert GatysSettings(style_layer_weights=weights).style_layer_weights == (5.0, 4.0, 3.0, 2.0, 1.0)
    said = message(GatysSettings, style_layer_weights=(1, 2, 3))
    assert (
        said.startswith("style_layer_weights ") and "5 style layers" in said and said.endswith("received 3.")
    )
    assert message(GatysSettings, style_layer_weights=(1, 1, 1, 1, -1)).startswith(
        "style_layer_weights must be"
    )
    assert message(GatysSettings, style_layer_weights=(0,) * 5).startswith("style_layer_weights ")


def test_something_must_be_wanted():
    said = message(GatysSettings, content_weight=0, style_weight=0, tv_weight=1)
    assert said.startswith("content_weight and style_weight are both 0")
    assert message(GatysSettings, content_layers=()).startswith("content_layers is empty")
    assert message(GatysSettings, style_layers=()).startswith("style_layers is empty")
    GatysSettings(content_layers=(), content_weight=0)
    GatysSettings(style_layers=(), style_weight=0)


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        GatysSettings().size = 3


# Presets


def test_the_default_preset_is_the_default():
    assert preset() == preset("default") == GatysSettings()


@pytest.mark.parametrize("name", PRESETS)
def test_presets_take_other_settings(name):
    settings = preset(name, size=64, steps=3, seed=5)
    assert (settings.size, settings.steps, settings.seed) == (64, (3,), 5)
    assert dataclasses.replace(settings, size=512, steps=preset(name).steps, seed=0) == preset(name)


def assert_holds(settings, **wanted):
    assert {name: getattr(settings, name) for name in wanted} == wanted


def test_gatys2016_is_the_paper():
    layers = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")  # conv1_1 ... of section 3
    settings = preset("gatys2016")
    assert_holds(
        settings,
        network="vgg19",
        optimizer="lbfgs",
        init="content",
        pooling="average",
        normalized=True,
        scales=1,
        content_layers=("relu4_2",),
        style_layers=layers,
        style_layer_weights=None,
        tv_weight=0.0,
        content_normalization="positions",
        style_normalization="paper",
        style_statistic="gram",
        average=0.0,
        padding="zero",
    )
    assert settings.content_weight / settings.style_weight == 1e-3  # alpha / beta, section 3
    assert preset("gatys2016", init="noise").init == "noise"


def test_tf_tutorial_is_the_tutorial():
    assert_holds(
        preset("tf-tutorial"),
        network="vgg19",
        optimizer="adam",
        learning_rate=0.02,
        beta_1=0.99,
        epsilon=0.1,
        schedule="constant",
        init="content",
        content_layers=("block5_conv2",),
        style_layers=tuple(f"block{b}_conv1" for b in range(1, 6)),
        content_weight=1e4,
        style_weight=1e-2,
        tv_weight=30.0,
        tv_kind="sum",
        content_normalization="mean",
        style_normalization="mean",
        pooling="max",
        normalized=False,
        padding="zero",
        steps=(1000,),
        scales=1,
        size=512,
    )


def test_matconvnet_1000_is_the_recipe():
    assert_holds(
        preset("matconvnet-1000"),
        content_weight=5.0,
        style_weight=0.2,
        style_normalization="size",
        pooling="average",
        content_layers=("relu4_2",),
        init="noise",
        noise=0.1,
        steps=(1000,),
        scales=1,
        style_layers=("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
        tv_weight=0.0,
        padding="zero",
    )


def test_unknown_presets_and_settings_are_told_with_the_nearest():
    said = message(preset, name="gatys")
    assert said.startswith("preset must be one of 'default', 'gatys2016'")
    assert said.endswith("received 'gatys'; did you mean 'gatys2016'?")
    assert message(preset, style_wieght=3).endswith("received 'style_wieght'; did you mean 'style_weight'?")
