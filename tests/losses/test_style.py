import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfstyle.checks import InputError
from tfstyle.losses import (
    STYLE_NORMALIZATIONS,
    STYLE_STATISTICS,
    gram_matrix,
    style_loss,
    style_statistic,
)
from tfstyle.losses.style import grid_sample, mean_and_std

quick = settings(deadline=None, max_examples=30, database=None)

# Two positions (rows) of two channels, 1 x 2 px. Gram: F F^T / M.
FEATURES = np.array([[[[1.0, 2.0], [3.0, 0.0]]]], np.float32)
GRAM = np.array([[[10.0, 2.0], [2.0, 4.0]]]) / 2
TARGET = np.array([[[[2.0, 0.0], [0.0, 2.0], [2.0, 2.0], [0.0, 0.0]]]], np.float32)
TARGET_GRAM = np.array([[[8.0, 4.0], [4.0, 8.0]]]) / 4


def maps(shape, seed=0):
    """Random feature maps as after a ReLU, (N, H, W, C) float32, about half of them 0."""
    return np.maximum(np.random.default_rng(seed).standard_normal(shape), 0).astype(np.float32)


def gradient(function, value):
    value = tf.convert_to_tensor(value)
    with tf.GradientTape() as tape:
        tape.watch(value)
        result = function(value)
    return tape.gradient(result, value).numpy()


# Gram matrices


def test_gram_by_hand():
    np.testing.assert_allclose(gram_matrix(FEATURES), GRAM, rtol=1e-6)
    np.testing.assert_allclose(gram_matrix(TARGET), TARGET_GRAM, rtol=1e-6)


@pytest.mark.parametrize(
    ("normalization", "wanted"),
    [
        # G - A = [[3, 0], [0, 0]], whose squares sum to 9; those of A to 4 + 1 + 1 + 4.
        ("relative", 9 / 10),
        ("paper", 9 / (4 * 2**2)),
        ("mean", 9 / 2**2),
        ("size", 9 / 2**4),
    ],
)
def test_gram_loss_by_hand(normalization, wanted):
    loss = style_loss(FEATURES, style_statistic(TARGET), normalization=normalization)
    assert loss.dtype == tf.float32 and loss.shape == ()
    np.testing.assert_allclose(loss, wanted, rtol=1e-6)


def test_paper_is_equation_4_as_printed():
    features, target = maps((1, 5, 4, 6)), maps((1, 5, 4, 6), seed=1)
    f, p = (x.reshape(20, 6).T.astype(np.float64) for x in (features, target))  # N_l x M_l, as in the paper
    printed = np.sum((f @ f.T - p @ p.T) ** 2) / (4 * 6**2 * 20**2)
    np.testing.assert_allclose(
        style_loss(features, style_statistic(target), normalization="paper"), printed, rtol=1e-5
    )


def test_size_is_the_mean_with_matrices_divided_by_the_size_of_the_features():
    features, target = maps((1, 5, 4, 6)), maps((1, 7, 3, 6), seed=1)
    grams = [x.reshape(-1, 6).T @ x.reshape(-1, 6) / (x.size) for x in (features, target)]
    loss = style_loss(features, style_statistic(target), normalization="size")
    np.testing.assert_allclose(loss, np.mean((grams[0] - grams[1]) ** 2), rtol=1e-5)


@pytest.mark.parametrize("target_shape", [(1, 6, 7, 5), (1, 9, 4, 5), (1, 2, 3, 5)])
def test_gradient_is_equation_6(target_shape):
    """dE/dF = 1 / (N^2 M^2) F (G - A), 0 where F is; A is brought from its own M to the picture's."""
    before = np.random.default_rng(3).standard_normal((1, 6, 7, 5)).astype(np.float32)
    target = maps(target_shape, seed=4)
    a = style_statistic(target)
    found = gradient(lambda x: style_loss(tf.nn.relu(x), a, normalization="paper"), before)
    n, m = 5, 42
    f = np.maximum(before, 0).reshape(m, n).T.astype(np.float64)
    rows = target.reshape(-1, n).astype(np.float64)
    gram, target_gram = f @ f.T, m * (rows.T @ rows) / len(rows)
    wanted = (f.T @ (gram - target_gram)).T / (n**2 * m**2)  # as printed, transposed to N_l x M_l
    wanted[f <= 0] = 0
    np.testing.assert_allclose(found.reshape(m, n).T, wanted, rtol=1e-4, atol=1e-6 * np.abs(wanted).max())


@quick
@given(
    seed=st.integers(0, 2**16), height=st.integers(1, 6), width=st.integers(1, 6), channels=st.integers(1, 7)
)
def test_a_gram_matrix_forgets_places_and_is_symmetric_and_positive(seed, height, width, channels):
    random = np.random.default_rng(seed)
    features = random.standard_normal((1, height, width, channels)).astype(np.float32)
    gram = gram_matrix(features).numpy()[0]
    shuffled = random.permutation(features.reshape(-1, channels)).reshape(1, width, height, channels)
    np.testing.assert_allclose(gram_matrix(shuffled).numpy()[0], gram, atol=1e-5)
    np.testing.assert_allclose(gram, gram.T, atol=1e-6)
    assert np.linalg.eigvalsh(gram.astype(np.float64)).min() > -1e-5
    np.testing.assert_allclose(np.trace(gram), np.sum(features**2) / (height * width), rtol=1e-4)


# Guided Gram matrices


def test_guided_gram_by_hand():
    """Positions (1, 2) and (3, 0), which count 3 and 1: (3 [[1, 2], [2, 4]] + [[9, 0], [0, 0]]) / 4."""
    guided = gram_matrix(FEATURES, np.array([[[3.0, 1.0]]], np.float32))
    np.testing.assert_allclose(guided, np.array([[[12.0, 6.0], [6.0, 12.0]]]) / 4, rtol=1e-6)


@quick
@given(seed=st.integers(0, 2**16), height=st.integers(1, 6), width=st.integers(1, 6), batch=st.integers(1, 3))
def test_a_guide_of_0_and_1_takes_those_positions_alone(seed, height, width, batch):
    features = maps((batch, height, width, 4), seed)
    guide = np.random.default_rng(seed).random((batch, height, width)) < 0.5
    guide[:, 0, 0] = True
    found = gram_matrix(features, guide.astype(np.float32)).numpy()
    for gram, picture, inside in zip(found, features, guide, strict=True):
        np.testing.assert_allclose(gram, gram_matrix(picture[inside][None, None])[0], rtol=1e-5, atol=1e-6)


@quick
@given(seed=st.integers(0, 2**16), share=st.floats(0.01, 1.0))
def test_parts_add_up_and_even_guides_change_nothing(seed, share):
    features, soft = maps((1, 5, 4, 3), seed), np.random.default_rng(seed).random((1, 5, 4)).astype(np.float32)
    parts = [gram_matrix(features, guide) * guide.sum() for guide in (soft, 1 - soft)]
    np.testing.assert_allclose((parts[0] + parts[1]) / 20, gram_matrix(features), rtol=1e-4, atol=1e-6)
    even = gram_matrix(features, np.full((1, 5, 4), share, np.float32))
    np.testing.assert_allclose(even, gram_matrix(features), rtol=1e-4, atol=1e-6)


def test_the_gradient_of_a_guided_gram_is_that_of_its_formula():
    features, guide = maps((2, 3, 4, 5)), np.random.default_rng(2).random((2, 3, 4)).astype(np.float32)
    pull = tf.constant(np.random.default_rng(3).standard_normal((2, 5, 5)).astype(np.float32))

    def formula(x):
        gram = tf.einsum("nhwi,nhwj,nhw->nij", x, x, guide) / tf.reduce_sum(guide, axis=(1, 2))[:, None, None]
        return tf.reduce_sum(pull * gram)

    found = gradient(lambda x: tf.reduce_sum(pull * gram_matrix(x, guide)), features)
    np.testing.assert_allclose(found, gradient(formula, features), rtol=1e-4, atol=1e-6)


def test_an_empty_guide_gives_0_and_no_slope():
    guide = np.zeros((1, 1, 2), np.float32)
    np.testing.assert_array_equal(gram_matrix(FEATURES, guide), np.zeros((1, 2, 2)))
    np.testing.assert_array_equal(gradient(lambda x: tf.reduce_sum(gram_matrix(x, guide)), FEATURES), 0 * FEATURES)


# Every statistic


@pytest.mark.parametrize("statistic", STYLE_STATISTICS)
@pytest.mark.parametrize("normalization", STYLE_NORMALIZATIONS)
def test_small_at_the_target_and_large_elsewhere(statistic, normalization):
    painting, picture = maps((1, 12, 9, 8)), 3 * maps((1, 9, 12, 8), seed=1)
    target = style_statistic(painting, statistic)
    at_target, elsewhere = (
        float(style_loss(x, target, statistic, normalization)) for x in (painting, picture)
    )
    assert elsewhere > 0
    assert abs(at_target) < 1e-3 * elsewhere


@pytest.mark.parametrize("statistic", STYLE_STATISTICS)
def test_relative_error_of_a_silent_picture(statistic):
    """A picture without any feature is as far off as the target is large: 1, whatever the statistic."""
    painting = 30 * maps((1, 12, 9, 8))
    loss = style_loss(np.zeros_like(painting), style_statistic(painting, statistic), statistic)
    np.testing.assert_allclose(loss, 1, rtol=2e-3)


@pytest.mark.parametrize("statistic", STYLE_STATISTICS)
def test_ratios_of_the_normalizations(statistic):
    target = style_statistic(maps((1, 6, 6, 5)), statistic)
    loss = {
        n: float(style_loss(2 * maps((1, 6, 6, 5), 1), target, statistic, n)) for n in STYLE_NORMALIZATIONS
    }
    np.testing.assert_allclose(loss["mean"], 4 * loss["paper"], rtol=1e-5)
    np.testing.assert_allclose(loss["mean"], 5**2 * loss["size"], rtol=1e-5)


@pytest.mark.parametrize("statistic", STYLE_STATISTICS)
def test_bfloat16_features_are_measured_in_float32(statistic):
    picture, painting = (tf.cast(20 * maps((1, 16, 12, 8), seed), tf.bfloat16) for seed in (0, 1))
    loss = style_loss(picture, style_statistic(painting, statistic), statistic)
    exact = style_loss(
        tf.cast(picture, tf.float32), style_statistic(tf.cast(painting, tf.float32), statistic), statistic
    )
    assert loss.dtype == tf.float32
    assert all(part.dtype == tf.float32 for part in tf.nest.flatten(style_statistic(painting, statistic)))
    assert float(loss) == float(exact)


@pytest.mark.parametrize("statistic", STYLE_STATISTICS)
def test_batches_are_averaged(statistic):
    pictures = np.concatenate([maps((1, 6, 8, 4)), 2 * maps((1, 6, 8, 4), 1)])
    targets = [style_statistic(maps((1, 6, 8, 4), seed), statistic) for seed in (2, 3)]
    each = [
        float(style_loss(picture[None], target, statistic, "mean"))
        for picture, target in zip(pictures, targets, strict=True)
    ]
    together = tf.nest.map_structure(lambda *parts: tf.concat(parts, 0), *targets)
    assert each[0] != each[1]
    np.testing.assert_allclose(style_loss(pictures, together, statistic, "mean"), np.mean(each), rtol=1e-4)


@pytest.mark.parametrize("statistic", STYLE_STATISTICS)
def test_compiled_for_all_sizes(statistic):
    """Inside a tf.function of unknown height and width the losses keep their values and their gradients."""
    target = style_statistic(maps((1, 9, 9, 4)), statistic)

    @tf.function(input_signature=[tf.TensorSpec((1, None, None, 4))])
    def compiled(features):
        with tf.GradientTape() as tape:
            tape.watch(features)
            loss = style_loss(features, target, statistic)
        return loss, tape.gradient(loss, features)

    for shape in ((1, 8, 6, 4), (1, 50, 47, 4)):
        features = maps(shape, 5)
        loss, slope = compiled(features)
        np.testing.assert_allclose(loss, style_loss(features, target, statistic), rtol=1e-4)
        found = gradient(lambda x: style_loss(x, target, statistic), features)
        np.testing.assert_allclose(slope, found, rtol=1e-3, atol=1e-4 * np.abs(found).max())
        assert np.abs(found).max() > 0


def test_a_silent_target_gives_finite_losses():
    silent = np.zeros((1, 4, 4, 3), np.float32)
    for statistic in STYLE_STATISTICS:
        target = style_statistic(silent, statistic)
        slope = gradient(lambda x: style_loss(x, target, statistic), maps((1, 4, 4, 3)))  # noqa: B023
        assert np.isfinite(slope).all()
        assert np.isfinite(style_loss(silent, target, statistic))


# Mean and standard deviation


def test_moments_by_hand():
    mean, deviation = mean_and_std(FEATURES)
    np.testing.assert_allclose(mean, [[2, 1]], rtol=1e-6)
    np.testing.assert_allclose(deviation, [[1, 1]], rtol=1e-6)
    # Target: means 1 and 1, deviations 1 and 1. Distance (2 - 1)^2, the target's own size 1 + 1 + 1 + 1.
    target = style_statistic(TARGET, "moments")
    np.testing.assert_allclose(style_loss(FEATURES, target, "moments", "mean"), 1 / 2**2, rtol=1e-6)
    np.testing.assert_allclose(style_loss(FEATURES, target, "moments"), 1 / 4, rtol=1e-6)


def test_a_constant_channel_has_a_finite_gradient():
    target = style_statistic(TARGET, "moments")
    slope = gradient(lambda x: style_loss(x, target, "moments"), np.full((1, 3, 3, 2), 0.7, np.float32))
    assert np.isfinite(slope).all()


# Samples


@pytest.mark.parametrize("shape", [(32, 32), (64, 48), (48, 64), (45, 61), (256, 1024), (1024, 96)])
def test_samples_are_spread_over_the_whole_picture(shape):
    """Many rows and many columns are seen, also where a side divides the stride."""
    height, width = shape
    places = np.stack(np.broadcast_arrays(*np.mgrid[0:height, 0:width]), -1)[None].astype(np.float32)
    samples = grid_sample(places).numpy()[0]
    assert 256 <= len(samples) <= 1.2 * 1024
    ratio = (height / width) ** 0.5
    assert len(np.unique(samples[:, 0])) >= min(height, 14 * ratio)
    assert len(np.unique(samples[:, 1])) >= min(width, 14 / ratio)


def test_all_positions_of_a_small_map_are_taken():
    features = maps((2, 20, 30, 3))
    np.testing.assert_array_equal(grid_sample(features), features.reshape(2, 600, 3))


@pytest.mark.parametrize("normalization", STYLE_NORMALIZATIONS)
@pytest.mark.parametrize("statistic", STYLE_STATISTICS)
def test_a_batch_gives_the_mean_of_its_pictures(statistic, normalization):
    """Of a loud and a quiet painting too, whose relative errors count alike."""
    loudness = np.array([1.0, 20.0], np.float32)[:, None, None, None]
    features, target = loudness * maps((2, 6, 5, 3), 1), loudness * maps((2, 4, 7, 3), 2)
    each = [
        float(style_loss(f[None], style_statistic(t[None], statistic), statistic, normalization))
        for f, t in zip(features, target, strict=True)
    ]
    found = style_loss(features, style_statistic(target, statistic), statistic, normalization)
    np.testing.assert_allclose(found, np.mean(each), rtol=1e-4)


def test_unknown_names():
    features = maps((1, 4, 4, 3))
    with pytest.raises(InputError, match="statistic must be one of .*received 'grams'; did you mean 'gram'."):
        style_statistic(features, "grams")
    with pytest.raises(
        InputError, match="statistic must be one of .*received 'momenta'; did you mean 'moments'."
    ):
        style_loss(features, None, "momenta")
    with pytest.raises(
        InputError, match="normalization must be one of .*received 'men'; did you mean 'mean'."
    ):
        style_loss(features, gram_matrix(features), normalization="men")


def test_any_keras_backend_takes_part():
    """NumPy arrays, TensorFlow's and Keras' tensors are all welcome."""
    features = maps((1, 4, 4, 3))
    for kind in (np.asarray, tf.constant, keras.ops.convert_to_tensor):
        np.testing.assert_allclose(gram_matrix(kind(features)), gram_matrix(features))
