"""The page in a real browser: Chromium of the system, led by Playwright."""

import http.client
import io
import json
import os
import pathlib
import signal

import numpy as np
import pytest
from PIL import Image

from tfstyle import images

pytestmark = pytest.mark.slow


def apart(one, other):
    """Mean difference of two pictures of one size, in 0..255."""
    return float(np.abs(np.float32(one) - np.float32(other)).mean())


def test_a_photo_is_painted_and_taken_home(visitor, files, tmp_path):
    me = visitor()
    me.given("photo", files["photo"])
    me.given("style", files["style"])
    me.more()
    me.set("size", 96)
    first = me.painted()
    assert first.size == (96, 71) and me.until("Done")
    assert apart(first, images.to_pil(images.read(files["photo"], size=96).rgb)) > 10
    me.set("strength", 0.25)
    weaker = me.painted()
    assert apart(first, weaker) > 5
    me.page.check("#color input[value=luminance]")
    assert apart(weaker, me.painted()) > 1
    for kind, form in (("png", "PNG"), ("jpeg", "JPEG")):
        with me.page.expect_download() as download:
            me.page.click(f"#{kind}")
        ending = {"PNG": ".png", "JPEG": ".jpg"}[form]
        assert download.value.suggested_filename == f"my holiday-painted{ending}"
        download.value.save_as(tmp_path / f"taken{ending}")
        with Image.open(tmp_path / f"taken{ending}") as taken:
            assert (taken.format, taken.size) == (form, (96, 71))
    assert not me.faults
    me.given("second", files["second"])
    me.set("mix", 0.5)
    me.set("strength", 1)
    me.page.check("#color input[value=style]")
    assert apart(first, me.painted()) > 1
    assert {url.partition("://")[2].partition("/")[0] for url in me.asked if url.startswith("http")} == {
        me.page.url.split("/")[2]
    }


def test_galleries_and_learned_styles(visitor):
    me = visitor()
    me.page.click("#photos button >> nth=0")
    me.page.wait_for_selector("#photo img")
    me.more()
    me.set("size", 96)
    me.page.check("#method input[value=learned]")
    me.page.wait_for_selector("#learned img")
    assert not me.page.is_visible("#style") and not me.page.is_visible("#strength")
    dusk = me.painted()
    with me.page.expect_response(lambda response: "run/predict" in response.url):
        me.page.click("#learned button >> nth=1")
    ink = me.painted()
    assert apart(dusk, ink) > 10
    assert np.ptp(np.float32(ink), axis=-1).mean() < np.ptp(np.float32(dusk), axis=-1).mean(), "ink is nearly gray"
    me.page.check("#method input[value=fast]")
    me.page.wait_for_selector("#styles img")
    me.page.click("#styles button >> nth=4")
    me.page.wait_for_selector("#style img")
    assert apart(ink, me.painted()) > 10
    assert not me.faults


def test_an_optimization_is_watched_and_stopped_and_others_are_told(visitor, files):
    me, other, third = visitor(), visitor(), visitor()
    me.given("photo", files["photo"])
    me.given("style", files["style"])
    me.more()
    me.page.check("#method input[value=optimize]")
    me.set("size", 240)
    before = me.source()
    me.page.click("#paint")
    me.page.wait_for_selector("#sofar img")
    assert not me.page.is_visible("#paint") and "of 140" in me.until("Painting: step")
    for you in (other, third):
        you.given("photo", files["second"])
        you.given("style", files["style"])
        you.page.click("#paint")
        you.until("Waiting: 1 picture" if you is other else "2 pictures are being painted or waiting")
    me.page.click("#stop")
    told = me.until("Stopped at step")
    assert told.endswith("this is the picture so far.") and 0 < int(told.split()[3]) < 140
    assert me.source() != before and me.result().size == (240, 177)
    assert me.page.is_visible("#paint") and not me.page.is_visible("#stop")
    other.until("Done")
    me.page.check("#method input[value=fast]")
    assert me.painted().size == (240, 177), "the page paints on after a stop"


def test_who_leaves_stops_the_work(visitor, files):
    me, other = visitor(), visitor()
    me.given("photo", files["photo"])
    me.given("style", files["style"])
    me.more()
    me.page.check("#method input[value=optimize]")
    me.set("size", 240)
    me.page.click("#paint")
    steps = int(me.until("Painting: step").split()[4].strip(","))
    assert steps > me.patience, "at a second each, it would end by itself"
    me.page.close()
    other.given("photo", files["photo"])
    other.given("style", files["style"])
    assert other.painted().size == (256, 189)


def test_two_visitors_at_once_see_their_own(visitor, files):
    one, two = visitor(), visitor()
    for me, photo, method in ((one, "photo", "optimize"), (two, "second", "fast")):
        me.given("photo", files[photo])
        me.given("style", files["style"])
        me.more()
        me.page.check(f"#method input[value={method}]")
        me.set("size", 112)
    one.page.click("#paint")
    one.until("Painting")
    two.page.click("#paint")
    assert two.until("Waiting") == "Waiting: 1 picture is before yours."
    one.until("Done")
    two.until("Done")
    mine, theirs = one.result(), two.result()
    assert mine.size == (112, 83) and theirs.size == (112, 70) and one.source() != two.source()
    assert "/other" not in one.page.content() and "my holiday" not in two.page.content()


def test_uploads_have_an_end_and_other_names_no_page(page_process):
    address, folder, _ = page_process
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    before = sorted(folder.rglob("*"))
    asked = http.client.HTTPConnection(address.split("/")[2], timeout=60)
    asked.request(
        "POST", "/gradio_api/upload", iter([part, *[bytes(65_536)] * 4]),
        {"Content-Type": "multipart/form-data; boundary=x"}, encode_chunked=True,
    )
    assert 400 <= asked.getresponse().status < 500
    asked.close()
    assert sorted(folder.rglob("*")) == before, "what had come of it is gone"
    asked.request("GET", "/", headers={"Host": "evil.example"})
    assert asked.getresponse().status == 421
    asked.close()


def test_pictures_that_are_gone_are_a_sentence(visitor, files, page_process):
    me = visitor()
    me.given("style", files["style"])
    me.given("photo", files["second"])
    for path in page_process[1].rglob("other.png"):
        path.unlink()
    me.page.click("#paint")
    assert "choose it anew" in me.until("The photo is no longer here")


def changed(visitor, change):
    """From here on, `change` is made to every value that the browser sends with Paint."""
    def send(route):
        body = json.loads(route.request.post_data)
        route.continue_(post_data=json.dumps(body | {"data": [change(value) for value in body["data"]]}))

    visitor.page.route("**/queue/join*", send)


def test_numbers_out_of_range_are_a_sentence(visitor, files):
    me = visitor()
    me.given("photo", files["photo"])
    me.given("style", files["style"])
    changed(me, lambda value: 5000 if value == 256 else value)
    me.page.click("#paint")
    assert me.until("Size is at most 256 px")


@pytest.mark.parametrize("forged", [
    lambda path: {"path": path}, lambda path: {"path": path, "meta": {"_type": "gradio.FileData"}}, str, lambda path: 7,
])
def test_pictures_of_the_server_s_own_are_not_to_be_had(visitor, files, page_process, forged):
    me = visitor()
    with open(files["second"], "ab") as file:
        file.write(bytes(12_345))  # so that it is like no other here
    size = os.path.getsize(files["second"])
    me.given("photo", files["photo"])
    me.given("style", files["style"])
    changed(me, lambda value: forged(files["second"]) if isinstance(value, dict) else value)
    before = me.source()
    me.page.click("#paint")
    me.wait(lambda: me.status().startswith(("There is no photo yet", "Error")))
    assert me.source() == before
    assert not [path for path in page_process[1].rglob("other.png") if path.stat().st_size == size]


def test_bad_files_are_sentences(visitor, files, tmp_path):
    me = visitor()
    me.page.click("#paint")
    assert me.until("There is no photo yet")
    me.give("photo", files["bad"])
    assert me.until("The photo is in no picture format")
    assert not me.page.locator("#photo img").count()
    whole = pathlib.Path(files["style"]).read_bytes()
    (tmp_path / "short.png").write_bytes(whole[: len(whole) // 2])
    me.give("photo", str(tmp_path / "short.png"))
    assert "cut short" in me.until("The photo cannot be decoded")
    (tmp_path / "large.png").write_bytes(whole + bytes(200_000))
    Image.new("1", (1200, 1000)).save(tmp_path / "wide.png")
    me.give("photo", str(tmp_path / "wide.png"))
    assert me.until("The photo has 1200 x 1000 pixels")
    sent = len(me.asked)
    me.give("photo", str(tmp_path / "large.png"))
    assert "more than 0.1 MB" in me.until("The photo has more than")
    (tmp_path / "words.txt").write_text("nothing to see")
    me.give("photo", str(tmp_path / "words.txt"))
    assert me.until("The photo is no picture file")
    assert not any("/upload" in url for url in me.asked[sent:]), "neither has been sent at all"
    me.page.click("#photos button >> nth=1")
    me.page.wait_for_selector("#photo img")
    assert "no picture file" not in me.status()
    assert "Traceback" not in me.page.content() and "/tmp" not in me.page.inner_text("body")


def test_a_transparent_photo_is_so_on_both_sides(visitor, files, tmp_path):
    with Image.open(files["photo"]) as photo:
        photo.putalpha(Image.linear_gradient("L").resize(photo.size))
        photo.save(tmp_path / "clear.png")
    me = visitor()
    me.given("photo", str(tmp_path / "clear.png"))
    me.given("style", files["style"])
    me.painted()
    for image in me.page.locator("#result img").all():
        data = me.page.request.get(image.get_attribute("src")).body()
        assert Image.open(io.BytesIO(data)).mode == "RGBA"


def test_a_shipped_painting_can_be_the_second(visitor):
    me = visitor()
    me.more()
    me.page.click("#seconds button >> nth=2")
    me.page.wait_for_selector("#second img")
    assert "/ink" in me.page.locator("#second img").get_attribute("src") and not me.page.locator("#style img").count()


def test_ctrl_c_is_a_clean_end(page_process):
    """The last test, for it ends the page that the others use."""
    _, folder, child = page_process
    assert list(folder.glob("tfstyle-web-*"))
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == 130
    told = child.stderr.read()
    assert told.endswith("tfstyle: interrupted.\n") and told.count("tfstyle:") == 1
    # What gradio says of requests that are forged.
    forged = sum(
        told.count(f"\n{name}")
        for name in ("gradio.exceptions.InvalidPathError", "pydantic_core._pydantic_core.Validation")
    )
    assert told.count("Traceback") == forged
    assert not list(folder.iterdir())


def test_sigterm_has_its_own_code(page_of_its_own):
    _, folder, child = page_of_its_own
    child.terminate()
    assert child.wait(60) == 143
    assert child.stderr.read() == "tfstyle: terminated.\n"
    assert not list(folder.iterdir())
