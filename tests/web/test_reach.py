"""The page in a real browser: what is seen where, and by whom: small windows, keyboards, readers of the screen."""

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("width, scheme", [(390, "light"), (390, "dark"), (1280, "dark")])
def test_nothing_is_wider_than_the_window(visitor, width, scheme):
    me = visitor(viewport={"width": width, "height": 844}, color_scheme=scheme)
    me.more()
    me.page.wait_for_timeout(500)
    assert me.page.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("photo", "style", "paint", "more", "result"):
        box = me.page.locator(f"#{name}").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width, name
    assert me.page.inner_text("body").count("Gradio") == 0


def test_it_can_be_used_without_a_mouse_and_without_seeing(visitor):
    me = visitor()
    me.page.wait_for_selector("#result img[alt='The photo']", state="attached")
    assert all(me.page.evaluate("[...document.images].map(image => image.alt)"))
    line = me.page.get_by_role("slider", name="Before and after")
    before = line.bounding_box()["x"]
    at = int(line.get_attribute("aria-valuenow"))
    line.focus()
    me.page.keyboard.press("ArrowLeft")
    me.wait(lambda: line.bounding_box()["x"] < before)
    me.wait(lambda: at - 6 <= int(line.get_attribute("aria-valuenow")) <= at - 4)
    for name in ("Photo: drop or choose a file", "Painting: drop or choose a file", "Coffee", "Mosaic"):
        assert me.page.get_by_role("button", name=name, exact=True).count() == 1, name
    assert me.page.get_by_role("button", name="Paint", exact=True).is_visible()
    assert me.page.locator("#status [role=status][aria-live=polite]").inner_text()


def test_the_keyboard_goes_from_paint_to_stop_and_back(visitor, files):
    me = visitor()
    me.given("photo", files["photo"])
    me.given("style", files["style"])
    me.more()
    me.page.check("#method input[value=optimize]")
    me.set("size", 240)
    me.page.focus("#paint")
    for button, sentence, other in (("paint", "Painting: step", "stop"), ("stop", "Stopped at step", "paint")):
        assert me.page.evaluate("document.activeElement.id") == button
        me.page.keyboard.press("Enter")
        me.until(sentence)
        me.wait(lambda other=other: me.page.evaluate("document.activeElement.id") == other)


def test_the_result_stays_in_sight_beside_what_is_scrolled(visitor):
    me = visitor()
    me.more()
    me.page.evaluate("window.scrollTo(0, 600)")
    me.wait(lambda: me.page.evaluate("window.scrollY") == 600)
    assert 0 <= me.page.locator("#result").bounding_box()["y"] < 100


def test_on_a_phone_the_result_is_above_what_is_folded_away(visitor):
    me = visitor(viewport={"width": 390, "height": 844})
    me.more()
    tops = [me.page.locator(f"#{name}").bounding_box()["y"] for name in ("style", "paint", "status", "result", "more")]
    assert tops == sorted(tops)


def test_a_server_that_has_ended_is_a_sentence(visitor):
    me = visitor()
    me.page.route("**/robots.txt", lambda route: route.abort())
    assert me.until("The page's server has ended; start tfstyle web again and reload.")
