import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfstyle.checks import InputError
from tfstyle.losses import CONTENT_NORMALIZATIONS, content_loss

# Two positions of two channels. Differences 1, -2, 0, 3; their squares sum to 14; those of the target to 30.
TARGET = np.array([[[[1.0, 2.0], [3.0, 4.0]]]], np.float32)
FEATURES = np.array([[[[2.0, 0.0], [3.0, 7.0]]]], np.float32)


@pytest.mark.parametrize(
    ("normalization", "wanted"),
    [("paper", 14 / 2), ("positions", 14 / 2 / 2), ("mean", 14 / 4), ("relative", 14 / 30)],
)
def test_by_hand(normalization, wanted):
    loss = content_loss(FEATURES, TARGET, normalization)
    assert loss.dtype == tf.float32 and loss.shape == ()
    np.testing.assert_allclose(loss, wanted, rtol=1e-6)


def test_relative_is_the_default():
    assert float(content_loss(FEATURES, TARGET)) == float(content_loss(FEATURES, TARGET, "relative"))


def test_gradient_is_equation_2():
    random = np.random.default_rng(0)
    before = tf.constant(random.standard_normal((1, 5, 4, 6), np.float32))
    target = np.maximum(random.standard_normal((1, 5, 4, 6), np.float32), 0)
    with tf.GradientTape() as tape:
        tape.watch(before)
        features = tf.nn.relu(before)
        loss = content_loss(features, target, "paper")
    # "0 if F < 0" of eq. 2 is what the network's ReLU makes of F - P.
    wanted = np.where(before.numpy() > 0, features.numpy() - target, 0)
    np.testing.assert_allclose(tape.gradient(loss, before), wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("normalization", CONTENT_NORMALIZATIONS)
def test_zero_at_the_target(normalization):
    assert float(content_loss(TARGET, TARGET, normalization)) == 0


def test_relative_is_one_for_silent_features():
    np.testing.assert_allclose(content_loss(np.zeros_like(TARGET), TARGET), 1, rtol=1e-6)


def test_only_the_plain_sum_grows_with_the_picture():
    features, target = (np.tile(x, (1, 3, 2, 1)) for x in (FEATURES, TARGET))
    for normalization in CONTENT_NORMALIZATIONS:
        growth = content_loss(features, target, normalization) / content_loss(FEATURES, TARGET, normalization)
        np.testing.assert_allclose(growth, 6 if normalization == "paper" else 1, rtol=1e-6)


def test_a_silent_target_gives_a_finite_loss_and_gradient():
    silent, features = tf.zeros_like(TARGET), tf.constant(FEATURES)
    assert float(content_loss(silent, silent)) == 0
    with tf.GradientTape() as tape:
        tape.watch(features)
        loss = content_loss(features, silent)
    assert np.isfinite(loss) and np.isfinite(tape.gradient(loss, features)).all()


@pytest.mark.parametrize("normalization", CONTENT_NORMALIZATIONS)
def test_a_batch_gives_the_mean_of_its_pictures(normalization):
    """Of a loud and a quiet photograph too, whose relative errors count alike."""
    features, target = np.concatenate([FEATURES, 30 * FEATURES]), np.concatenate([TARGET, 10 * TARGET])
    each = [float(content_loss(f[None], t[None], normalization)) for f, t in zip(features, target, strict=True)]
    assert each[0] != each[1]
    np.testing.assert_allclose(content_loss(features, target, normalization), np.mean(each), rtol=1e-6)


@pytest.mark.parametrize("normalization", CONTENT_NORMALIZATIONS)
def test_bfloat16_features_are_measured_in_float32(normalization):
    random = np.random.default_rng(1)
    features, target = (tf.cast(random.random((1, 16, 16, 8)) * 50, tf.bfloat16) for _ in range(2))
    loss = content_loss(features, target, normalization)
    exact = content_loss(tf.cast(features, tf.float32), tf.cast(target, tf.float32), normalization)
    assert loss.dtype == tf.float32
    assert float(loss) == float(exact)


@settings(deadline=None, max_examples=30, database=None)
@given(scale=st.floats(0.125, 64), seed=st.integers(0, 2**16))
def test_how_the_loss_follows_louder_features(scale, seed):
    features, target = np.random.default_rng(seed).random((2, 1, 3, 4, 5), np.float32)
    for normalization, power in (("relative", 0), ("mean", 2), ("paper", 2), ("positions", 2)):
        loud = content_loss(scale * features, scale * target, normalization)
        quiet = content_loss(features, target, normalization)
        np.testing.assert_allclose(loud, quiet * scale**power, rtol=1e-4)


def test_unknown_normalization():
    with pytest.raises(
        InputError, match="normalization must be one of .*received 'papr'; did you mean 'paper'."
    ):
        content_loss(FEATURES, TARGET, "papr")
