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


@pytest.mark.parametrize("name", [
    "paint.example.org", "Paint.example.org", "localhost", "my_studio", "192.0.2.1", "[2001:db8::1]", "[2001:DB8::1]",
    "xn--mller-kva.example",
])
def test_names_that_browsers_ask_for(name):
    assert WebSettings(name=name).name == name


@pytest.mark.parametrize("name, near", [
    ("http://paint.example.org", "paint.example.org"), ("https://paint.example.org:8443/", "paint.example.org"),
    ("paint.example.org:8443", "paint.example.org"), ("paint.example.org/paint", "paint.example.org"),
    ("paint.example.org.", "paint.example.org"), ("müller.example", "xn--mller-kva.example"),
    ("2001:db8::1", "[2001:db8::1]"), ("[2001:db8:0::1]", "[2001:db8::1]"), ("http://[::1]:80/", "[::1]"),
    ("a b", None), ("*.example.org", None), ("a..b", None), ("[x]", None), ("a" * 64, None),
])
def test_a_name_that_no_visitor_would_match(refusal, name, near):
    """The guard compares it with the host that a browser names, without its port."""
    said = refusal(WebSettings, name=name)
    assert said.startswith("name must be a host name without http://, port and path, such as paint.example.org, or an ")
    assert said.endswith(f"received {name!r}." if near is None else f"received {name!r}; did you mean {near!r}?")
    assert near is None or WebSettings(name=near).name == near


def test_the_package_knows_what_it_offers():
    import tfstyle.web

    with pytest.raises(AttributeError, match="nothing"):
        tfstyle.web.nothing
