"""The page as gradio has it, without a browser."""

import importlib.util
import json
import subprocess
import sys

import pytest

from tfstyle.controls import Controls

pytestmark = pytest.mark.slow  # gradio takes seconds to import

_LOOK = """
import asyncio, json, sys
from tfstyle.checks import InputError
from tfstyle.web import page, parts
from tfstyle.web.settings import WebSettings

blocks = page._page(WebSettings(largest=256), None, sys.argv[1])
parts.fetch_nothing()

async def fetched(block):
    try:
        await block.async_move_resource_to_block_cache("http://example.com/a.png")
    except InputError as error:
        return str(error)
    return "fetched"

async def all_fetched():
    return sorted({await fetched(block) for block in blocks.blocks.values()})

def refused():
    del parts.processing_utils.async_ssrf_protected_get
    try:
        parts.fetch_nothing()
    except InputError as error:
        return str(error)

named = {block.elem_id: block for block in blocks.blocks.values() if getattr(block, "elem_id", None)}
print(json.dumps({
    "visibility": [event["api_visibility"] for event in blocks.get_config_file()["dependencies"]],
    "fetched": asyncio.run(all_fetched()),
    "unknown": refused(),
    "paths": [page._path(given, sys.argv[1]) for given in ("/etc/hostname", 7, ["a"], {}, {"path": "/etc/hostname"})],
    "values": {name: named[name].value for name in ("strength", "style_scale", "size", "color", "photoreal")},
    "ranges": {name: [named[name].minimum, named[name].maximum] for name in ("strength", "size")},
    "untouched": [not function.preprocess for function in blocks.fns.values() if function.name in ("painted", "check")],
}))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What there is to be seen of the page, found out in a process of its own: gradio leaves sockets behind."""
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("gradio is not installed")
    words = [sys.executable, "-c", _LOOK, str(tmp_path_factory.mktemp("pictures"))]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_no_event_is_for_programs(seen):
    assert seen["visibility"] and set(seen["visibility"]) == {"private"}


def test_addresses_are_not_fetched(seen):
    (told,) = seen["fetched"]
    assert told.startswith("This page takes pictures as files, not by their address")


def test_a_gradio_that_fetches_in_another_way_is_refused(seen):
    assert seen["unknown"].startswith("gradio ") and "cannot be kept from loading addresses" in seen["unknown"]


def test_a_picture_s_path_comes_from_gradio_alone(seen):
    assert seen["paths"] == [None] * 5


def test_controls_have_the_library_s_ranges_and_defaults(seen):
    assert seen["values"].pop("size") == 256, "no more than the page takes"
    assert seen["values"] == {name: getattr(Controls, name) for name in seen["values"]}
    assert seen["ranges"] == {"strength": [0, 1], "size": [16, 256]}


def test_what_is_given_is_refused_in_our_own_words(seen):
    assert seen["untouched"] == [True] * 4
