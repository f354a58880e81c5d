"""The settings of the page."""

import pytest

from tfstyle.web import WebSettings


def test_only_this_machine_unless_asked():
    assert WebSettings().host == "127.0.0.1"


@pytest.mark.parametrize("wrong", [
    {"port": -1}, {"port": 70000}, {"largest": 8}, {"waiting": 25}, {"at_once": 0}, {"upload": 0}, {"seconds": 0},
    {"preview": 0}, {"host": ""}, {"browser": "yes"}, {"name": ""},
    {"megapixels": 0}, {"megapixels": 90}, {"room": 0},
])
def test_what_does_not_work_is_named(wrong, refusal):
    (name,) = wrong
    assert name in refusal(WebSettings, **wrong)


def test_the_package_knows_what_it_offers():
    import tfstyle.web

    with pytest.raises(AttributeError, match="nothing"):
        tfstyle.web.nothing
