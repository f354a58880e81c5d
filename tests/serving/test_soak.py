"""A thousand requests from 32 threads, good and bad, to the models that are shipped, over both APIs."""

import concurrent.futures
import gc
import io
import itertools
import pathlib
import random
import re
import struct
import zlib

import numpy as np
import psutil
import pytest
from PIL import Image

import tfstyle
from tfstyle import images
from tfstyle.checks import InputError
from tfstyle.serving import Client
from tfstyle.serving.connection import Address, place
from tfstyle.serving.failures import Failure, plain
from tfstyle.serving.grpc_transport import GrpcTransport
from tfstyle.serving.rest import RestTransport

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "saved_models"
THREADS, REQUESTS = 32, 1000
GROWTH = 32 * 2**20  # bytes, over 500 requests; 6 MiB were measured

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def sample(name, size):
    """A picture of the tests as (H, W, 3) uint8: what 8 bits hold is resampled in 8 bits, here and there alike."""
    return images.to_uint8(images.read(ROOT / "tests" / "data" / f"{name}.jpg", size=size).rgb)


def floats(*pictures):
    """Pictures of one shape as (N, H, W, 3) float32."""
    return np.stack(pictures) / np.float32(255)


CONTENTS = [sample("chelsea_96", 32), sample("coffee_96", 40), sample("china_128", 48)[:40]]
STYLES = [sample("mosaic_128", 32), sample("swirl_128", 48)]


def file(picture, kind="PNG"):
    data = io.BytesIO()
    images.to_pil(picture).save(data, kind)
    return data.getvalue()


PNG, JPEG = file(CONTENTS[2]), file(CONTENTS[2], "JPEG")


def huge():
    """A PNG whose header says 60000x60000 px, its checksum right."""
    header = b"IHDR" + struct.pack(">II", 60000, 60000) + PNG[24:29]
    return PNG[:12] + header + struct.pack(">I", zlib.crc32(header)) + PNG[33:]


BAD_FILES = {
    "empty": (b"", "must be JPEG or PNG files; received 0 bytes"),
    "neither": (b"GIF89a" + b"\0" * 40, "must be JPEG or PNG files; received 46 bytes"),
    "header alone": (PNG[:8], r"must hold pictures each of 16 px a side"),
    "huge": (huge(), "received 60000x60000 px"),
    "small": (file(CONTENTS[0][:9]), "received 32x9 px"),
    "truncated PNG": (PNG[:-200], "PNG"),
    "truncated JPEG": (JPEG[: len(JPEG) // 2], "JPEG"),
    "damaged PNG": (PNG[:90] + b"\0" * 60 + PNG[150:], "PNG"),
}
BAD_PICTURES = {
    "4 channels": (np.ones((1, 32, 32, 4), np.float32), "must have 3 channels"),
    "no picture": (np.ones((0, 32, 32, 3), np.float32), "must be 1 to 16 pictures|Cannot feed"),
    "small": (np.ones((1, 9, 32, 3), np.float32), "received 1 of 32x9 px"),
    "0 to 255": (np.full((1, 32, 32, 3), 200, np.float32), r"float32 in \[0, 1\]"),
    "NaN": (np.full((1, 32, 32, 3), np.nan, np.float32), r"float32 in \[0, 1\]"),
    "unlike counts": (np.ones((2, 32, 32, 3), np.float32), "as many as"),
}


@pytest.fixture(scope="module")
def models(servers):
    return {name: servers.Model(MODELS / name / "1") for name in ("arbitrary", "gatys")}


@pytest.fixture(scope="module", params=["http", "grpc"])
def served(request, servers, models):
    start = servers.rest_server if request.param == "http" else servers.grpc_server
    with start(servers.Engine(models)) as url:
        yield url


@pytest.fixture
def predict(served):
    """A function (signature, **inputs) -> output, without what the client checks first."""
    transport = (RestTransport if served.startswith("http") else GrpcTransport)(place(served))
    yield lambda signature, **inputs: transport.predict(Address("arbitrary"), signature, inputs, 600)
    transport.close()


@pytest.fixture(scope="module")
def engine():
    return tfstyle.ArbitraryStylizer(precision="float32")


@pytest.fixture(scope="module")
def wanted(engine):
    """{(content, style, strength, style size): pixels as the library paints them}"""
    cases = itertools.product(range(len(CONTENTS)), range(len(STYLES)), (0.5, 1.0), (None, 24))
    return {
        (content, style, strength, style_size): np.asarray(engine.stylize(
            CONTENTS[content], STYLES[style], strength=strength, style_size=style_size, size=None), np.int16)
        for content, style, strength, style_size in cases
    }


def refusal(predict, signature, **inputs):
    """The sentence with which the graph refuses."""
    with pytest.raises(Failure) as error:
        predict(signature, **inputs)
    assert error.value.code == "INVALID_ARGUMENT"
    said = plain(error.value.message)
    assert said and not re.search(r"\n|\[\[|\{\{|node", said), said
    return said


def paint(client, wanted, case):
    """Paints one good picture and compares it."""
    content, style, strength, style_size = case
    image = client.stylize(
        CONTENTS[content], STYLES[style], strength=strength, style_size=style_size, size=None
    )
    assert np.abs(np.asarray(image, np.int16) - wanted[case]).max() <= 1, case


def refuse_file(predict, case, as_style):
    data, words = BAD_FILES[case]
    files = {"content_bytes": [PNG], "style_bytes": [PNG]} | {"style_bytes" if as_style else "content_bytes": [data]}
    assert re.search(words, refusal(predict, "stylize_bytes", **files, strength=np.ones(1, np.float32)))


def refuse_picture(predict, case):
    picture, words = BAD_PICTURES[case]
    inputs = {"style_image": floats(STYLES[0]), "strength": np.ones(1, np.float32)}
    assert re.search(words, refusal(predict, "stylize", content_image=picture, **inputs))


def test_a_thousand_requests_at_32_a_time(served, predict, wanted):
    process, grown = psutil.Process(), []
    with Client(served, timeout=600) as client, concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        tasks = [(paint, client, wanted, case) for case in wanted]
        tasks += [(refuse_file, predict, case, as_style) for case in BAD_FILES for as_style in (False, True)]
        tasks += [(refuse_picture, predict, case) for case in BAD_PICTURES]
        tasks = list(itertools.islice(itertools.cycle(tasks), REQUESTS))
        random.Random(0).shuffle(tasks)
        for half in (tasks[::2], tasks[1::2]):  # the first one warms allocators, threads and connections
            done = [pool.submit(*task) for task in half]
            for future in done:
                future.result()
            del done, future
            gc.collect()
            grown.append(process.memory_info().rss)
    assert grown[1] - grown[0] < GROWTH


def test_batches_equal_single_requests(served, predict):
    contents = floats(CONTENTS[2], CONTENTS[2][::-1], 255 - CONTENTS[2])
    styles = floats(STYLES[0], STYLES[0][:, ::-1], STYLES[0])
    strength = np.float32([1, 0.25, 0.5])
    together = predict("stylize", content_image=contents, style_image=styles, strength=strength)
    codes = predict("style_code", style_image=styles)
    under = predict("stylize_code", content_image=contents, style_code=codes)
    assert together.shape == contents.shape and codes.shape == (3, 100)
    for i in range(3):
        one = slice(i, i + 1)
        alone = predict("stylize", content_image=contents[one], style_image=styles[one], strength=strength[one])
        np.testing.assert_allclose(together[one], alone, atol=1e-5)
        np.testing.assert_allclose(codes[one], predict("style_code", style_image=styles[one]), atol=1e-4)
        alone = predict("stylize_code", content_image=contents[one], style_code=codes[one])
        np.testing.assert_allclose(under[one], alone, atol=1e-5)


def test_files_of_unlike_sizes_and_kinds_in_one_request(served, predict):
    contents = [file(CONTENTS[0]), JPEG, file(CONTENTS[2])]
    styles, strength = [file(STYLES[0]), file(STYLES[1]), file(STYLES[1], "JPEG")], np.float32([1, 0.5, 1])
    together = predict("stylize_bytes", content_bytes=contents, style_bytes=styles, strength=strength)
    for i, kind in enumerate(("PNG", "JPEG", "PNG")):
        alone = predict(
            "stylize_bytes", content_bytes=contents[i : i + 1], style_bytes=styles[i : i + 1],
            strength=strength[i : i + 1],
        )
        with Image.open(io.BytesIO(together[i])) as found, Image.open(io.BytesIO(alone[0])) as image:
            assert found.format == kind and found.size == image.size
            apart = np.abs(np.asarray(found, np.int16) - np.asarray(image, np.int16))
        assert apart.max() <= (1 if kind == "PNG" else 8)  # JPEG spreads one step of rounding over its block


def test_codes_and_mixtures_as_in_the_library(served, engine):
    with Client(served) as client:
        code = client.style_code(STYLES[0], 32)
        np.testing.assert_allclose(code, engine.style_code(STYLES[0], 32), atol=1e-4)
        for strength in (0.4, 1.0):
            mixed = {"weights": [3, 1], "strength": strength, "size": None, "style_size": 32}
            found = client.stylize(CONTENTS[1], [code, STYLES[1]], **mixed)
            library = engine.stylize(CONTENTS[1], [code, STYLES[1]], **mixed)
            assert np.abs(np.asarray(found, np.int16) - np.asarray(library, np.int16)).max() <= 1


def test_the_optimizer_as_in_the_library(served):
    """Beside requests that its graph refuses, all at a time."""
    settings = {"steps": 3, "style_weight": 8.0}
    with Client(served) as client, concurrent.futures.ThreadPoolExecutor(6) as pool:
        good = [pool.submit(client.stylize, CONTENTS[0], style, "optimize", None, **settings) for style in STYLES[:2]]
        bad = {
            "steps must be from 1 to 500": pool.submit(client.optimize, CONTENTS[0], STYLES[0], steps=501),
            "up to 1048576 pixels": pool.submit(client.optimize, CONTENTS[0], STYLES[0], size=1400),
            "Pixels times steps": pool.submit(client.optimize, CONTENTS[0], STYLES[0], size=900, steps=400),
        }
        for words, request in bad.items():
            with pytest.raises(InputError, match=words):
                request.result()
        for style, request in zip(STYLES, good, strict=False):
            library = tfstyle.stylize(
                CONTENTS[0], style, "optimize", None, precision="float32", steps=(3,), style_weight=8.0
            )
            apart = np.abs(np.asarray(request.result(), np.int16) - np.asarray(library, np.int16))
            assert apart.mean() < 0.5 and np.abs(np.int16(library) - CONTENTS[0]).mean() > 1
