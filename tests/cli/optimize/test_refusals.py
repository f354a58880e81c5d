"""tfstyle optimize: what is refused before the work."""

import os

import pytest

PLAIN = ("optimize", "photo.png", "paint.png", "-o", "out.png", "--size", "64")


@pytest.mark.parametrize("words, sentence", [
    (["--steps", "0"], "--steps must be a whole number from 1 to 1e+06; received 0."),
    (["--preset", "gatys2015"],
     "preset must be one of 'default', 'gatys2016', 'tf-tutorial', 'matconvnet-1000'; "
     "received 'gatys2015'; did you mean 'gatys2016'?"),
    (["--quality", "0"], "--quality must be a whole number from 1 to 100; received 0."),
    (["--quality", "best"], "--quality must be a whole number from 1 to 100; received 'best'."),
    (["--save-every", "0"], "--save-every must be a whole number of at least 1; received 0."),
    (["--frames-dir", "frames"], "--frames-dir needs --save-every N."),
    (["--weights", "0.5", "0.5"], "--weights must have one number for each STYLE; received 2 for 1."),
    (["--weights", "-1"], "--weights must be a number of at least 0; received -1."),
    (["--weights", "0"], "--weights are all 0; raise one."),
    (["--weights", "1", "glass.png"],
     "Argument --weights: 'glass.png' is no number; name the pictures before this flag; see tfstyle optimize"),
    (["--checkpoint", "run.ckpt"], "--checkpoint 'run.ckpt' must end in .npz."),
    (["--checkpoint", "gone/run.npz"],
     "--checkpoint 'gone/run.npz': there is no folder '{here}/gone'; make it first."),
    (["--trace", "gone/run.json"],
     "--trace 'gone/run.json': there is no folder '{here}/gone'; make it first."),
    (["--trace", "./out.png"], "--trace './out.png' would overwrite --output; choose another name."),
    (["--trace", "paint.png"],
     "--trace 'paint.png' would overwrite the picture 'paint.png'; choose another name."),
    (["-o", "photo.png"],
     "--output 'photo.png' would overwrite the picture 'photo.png'; choose another name."),
    (["-o", "out.gif"], "output 'out.gif' has the unknown extension '.gif'; use one of "),
    (["-o", "gone/out.png"], "output 'gone/out.png': '{here}/gone' does not exist; make that folder first"),
    (["--save-every", "1", "--frames-dir", "photo.png"],
     "--frames-dir 'photo.png' cannot be made (File exists); "),
    (["--init", "contents"],
     "--init 'contents' is neither content, style, noise nor the path of a picture or"),
    (["--network-weights", "gone.npz"], "There is no file of weights 'gone.npz'; "),
    (["--network", "vgg16"], "No vgg16 weights are shipped"),
    (["--scales", "4"], "4 scales would shrink this 64x48 px picture under 16 px; use fewer scales."),
    (["--style-layer-weights", "1,2"],
     "style_layer_weights must have one number for each of the 5 style layers"),
    (["--content-weight", "0", "--style-weight", "0"], "content_weight and style_weight are both 0"),
    (["--masks", "left.png", "left.png"], "--masks must have one picture for each STYLE, or one fewer; received 2 "),
    (["--masks", "paint.png"], "mask 1 'paint.png' is 48x64 px and the photo 64x48 px, which is another ratio"),
    (["--masks", "left.png", "--weights", "1"], "weights mix styles everywhere and masks give each its place; "),
    (["--texture", "gone.png"], "texture picture 'gone.png' does not exist; "),
    (["--texture", "glass.png", "--checkpoint", "glass.png"],
     "--checkpoint 'glass.png' would overwrite the picture 'glass.png'; choose another name."),
    (["--masks", "left.png", "-o", "left.png"],
     "--output 'left.png' would overwrite the picture 'left.png'; choose another name."),
    (["--style-scale", "2", "--style-size", "40"], "style_size and style_scale both say how large the style is lo"),
])
def test_bad_flags(refused, files, words, sentence):
    assert refused(*PLAIN, *words).startswith(sentence.format(here=os.getcwd()))
    assert files() == []


@pytest.mark.parametrize("words, sentence", [
    (["gone.png", "paint.png"], "content picture 'gone.png' does not exist; "),
    (["photo.png", "pain.png"], "style picture 'pain.png' does not exist; did you mean 'paint.png'?"),
    (["photo.png"], "There is no STYLE picture; name one, or give --style-weight 0 "),
    (["none"], "There is neither a CONTENT nor a STYLE picture; name at least one."),
    (["none", "paint.png", "--content-weight", "2"], "CONTENT is none, so leave out --content-weight, "),
    (["none", "paint.png", "--masks", "left.png"],
     "--masks lie over a photo, and CONTENT is none; leave them out, or name a picture."),
    (["photo.png", "--style-weight", "0", "--texture", "paint.png"],
     "--texture goes with a STYLE picture; name one after CONTENT."),
    (["photo.png", "--style-weight", "0", "--masks", "left.png"],
     "--masks goes with a STYLE picture; name one after CONTENT."),
])
def test_bad_pictures(refused, files, words, sentence):
    assert refused("optimize", *words, "-o", "out.png").startswith(sentence)
    assert files() == []
