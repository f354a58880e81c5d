"""A pine above a river, mountains in mist: layered washes and brush lines on old paper (NumPy)."""
import numpy as np

from .brush import Canvas, curve, step

INK, SLATE, WATER = "14171f", "1b222c", "3f5063"
# Far to near: summits (x, top, half width left and right), where mist swallows the range, density, tint.
RANGES = (
    ([(.505, .20, .06, .09), (.40, .285, .08, .05), (.63, .27, .05, .07), (.26, .36, .09, .08)], .46, .24,
     "6a7c90"),
    ([(.635, .245, .05, .06), (.715, .295, .05, .06), (.545, .36, .07, .04), (.10, .335, .07, .09),
      (.0, .30, .05, .06)],
     .57, .55, "405266"),
    ([(.675, .415, .07, .04), (.75, .365, .05, .05), (.575, .505, .06, .05), (.015, .425, .06, .08),
      (.13, .50, .05, .09)],
     .655, 1.1, "2a3644"),
    ([(.725, .555, .09, .05), (.62, .64, .09, .06)], .725, 1.6, SLATE))
BANK = [(.0, .825, .2, .16), (.10, .85, .14, .17), (.25, .92, .14, .16), (.40, .97, .12, .16)]
BIRDS = ((.345, .150, .017), (.385, .128, .014), (.425, .150, .012), (.318, .118, .011), (.455, .122, .009))
TRUNK = [(.085, .91), (.10, .86), (.138, .785), (.178, .715), (.155, .64), (.175, .575), (.235, .535),
         (.26, .50)]
LIMBS = (([(.17, .705), (.225, .69), (.29, .705), (.375, .685)], 11),
         ([(.158, .65), (.11, .625), (.065, .63), (.02, .612)], 10),
         ([(.172, .585), (.12, .55), (.085, .545)], 8), ([(.205, .555), (.27, .575), (.335, .562)], 9),
         ([(.24, .53), (.22, .49), (.195, .47)], 7), ([(.145, .765), (.10, .745), (.05, .75)], 8))
FANS = ((.37, .682, .046), (.30, .692, .04), (.245, .676, .034), (.02, .608, .044), (.085, .614, .04),
        (.08, .538, .04), (.13, .535, .03), (.34, .556, .044), (.275, .560, .036), (.27, .490, .044),
        (.185, .462, .038), (.23, .468, .03), (.05, .742, .040), (.105, .735, .028), (.41, .70, .026))


def ink(size):
    """Paint it with long side `size`: uint8 (h, w, 3)."""
    c = Canvas(size, 0.75, "efe6d2", seed=3)
    tooth = c.clouds(240, 2)  # the grain of the paper, which holds pigment in its valleys
    _paper(c, tooth)
    haze = np.hypot(c.x - 0.205, c.y - 0.175) + 0.0016 * c.clouds(40, 2)
    c.wash(0.6 * step(0.05 - haze, 0.004) * (1 + 0.25 * c.clouds(14) + 0.1 * tooth), "c8553a")
    for k, (summits, mist, dark, tint) in enumerate(RANGES):
        _range(c, summits, mist, dark, tint, 0.7 + 0.25 * k, tooth)
    _water(c, tooth)
    _skiff(c, 0.47, 0.835)
    _bank(c, tooth)
    _pine(c, tooth)
    for x, y, wing in BIRDS:
        lift = c.rng.uniform(0.3, 0.8)
        for side in (-1, 1):
            tip = (x + side * wing * 1.1, y - wing * (lift - 0.25))
            c.line([(x, y), (x + side * wing * 0.45, y - wing * lift), tip], 3.2, INK, body=0, taper=0.8)
    _seal(c, 0.685, 0.925, 0.021)
    c.height = 0.1 * tooth
    return c.finish(relief=0.4)


def _paper(c, tooth):
    """Old paper: darker towards the edges, cloudy, with fibers in it."""
    worn = np.hypot(c.x / 0.375 - 1, c.y / 0.5 - 1)
    c.lab[..., 0] += 0.008 * c.clouds(3) + 0.006 * tooth - 0.035 * np.maximum(worn - 0.75, 0)
    c.lab[..., 2] += 0.005 * c.clouds(3)
    for _ in range(260):
        at, turn = c.rng.uniform(0, (0.75, 1)), c.rng.uniform(0, np.pi)
        bent = turn + c.rng.normal(0, 0.5, 3).cumsum()
        way = np.cumsum(np.stack([np.cos(bent), np.sin(bent)], -1), 0) * c.rng.uniform(0.006, 0.02)
        c.line(at + way, 1.1, c.rng.choice(["c9b993", "c9b993", "fffaf0"]), body=0, opacity=0.35)


def _skyline(c, summits, rough):
    """y of the land over x, (1, w): steep summits, with the tremor of a hand."""
    y = np.full(c.shape[1], 2.0)
    for at, top, left, right in summits:
        off = (c.x[0] - at) / np.where(c.x[0] < at, left, right)
        y = np.minimum(y, top + 0.16 * np.abs(off) ** 1.45 * (left + right) / 0.13)
    for cells, size in ((14, 0.012), (40, 0.006), (130, 0.0018)):
        y = y + rough * size * c.clouds(cells, 1)[0]
    return y[None]


def _fall(c, x, y, side, length, lean, **how):
    """A stroke down a slope, steeper the further it falls."""
    way = np.array([[0, 0], [0.5 * np.cos(lean), 0.45 * np.sin(lean)],
                    [0.95 * np.cos(lean), 1.1 * np.sin(lean)]])
    c.line(np.array([x, y]) + length * way * [side, 1], body=0, taper=0.7, **how)


def _range(c, summits, mist, dark, tint, rough, tooth):
    """Mountains: a wash, dark along the skyline and thinned out into mist; dry strokes for folds; trees."""
    rng = c.rng
    skyline = _skyline(c, summits, rough)
    below = np.maximum(c.y - skyline, 0)
    clear = step(mist + 0.035 * c.clouds(4, 2) - c.y, 0.20)
    body = step(c.y - skyline + 0.0008 * tooth, 0.0035) * clear
    depth = 0.25 + 0.5 * np.exp(-below / 0.09) + 0.45 * np.exp(-below / 0.006)
    c.wash(dark * body * depth * (1 + 0.10 * tooth + 0.22 * c.clouds(7, 4)), tint)
    slope = np.gradient(skyline[0]) * c.long
    for width, count, load, share in ((26, 45, 0.75, 0.3), (11, 130, 0.5, 0.5), (5, 170, 0.5, 0.75)):
        for _ in range(int(count * rough)):
            i = rng.integers(c.shape[1])
            y = skyline[0, i] + rng.exponential(0.035) + width / 2000
            shown = clear[int(y * c.long), i] if y < 0.99 else 0
            if shown < 0.15:
                continue
            side = np.sign(slope[i]) if abs(slope[i]) > 0.4 else rng.choice([-1, 1])
            lean = np.arctan(np.clip(abs(slope[i]), 0.7, 2.5)) + rng.normal(0, 0.12)
            _fall(c, c.x[0, i], y, side, rng.uniform(0.015, 0.05) * (width / 11) ** 0.4, lean, tint=tint,
                  width=width * rng.uniform(0.6, 1.3), opacity=min(dark * share, 0.8) * shown,
                  load=load * rng.uniform(0.5, 1.2))
    for _ in range(int(90 * rough ** 2)):
        at, _, left, right = summits[rng.integers(len(summits))]
        x = np.clip(at + rng.normal(0, 0.3) * (left + right), 0, 0.749)
        y, r = skyline[0, int(x * c.long)] + abs(rng.normal(0, 0.012)), rng.uniform(2, 5) * rough
        c.line([(x, y), (x + r / 850, y - r / 1000)], r, tint, body=0, taper=0.2,
               opacity=min(dark, 0.9) * rng.uniform(0.4, 0.9))


def _water(c, tooth):
    """Three level washes and some dry ripples; the paper does the rest."""
    for level, half, dark in ((0.775, 0.02, 0.10), (0.865, 0.03, 0.14), (0.965, 0.05, 0.22)):
        band = np.exp(-((c.y - level - 0.012 * c.clouds(3, 1)) / half) ** 2)
        c.wash(dark * band * (1 + 0.5 * c.streaks(0, 9, 0.15) + 0.1 * tooth), "5d7186")
    for _ in range(60):
        at, near = c.rng.uniform(0, 0.75), c.rng.beta(1.2, 1.5)
        y, half = 0.735 + 0.25 * near, c.rng.uniform(0.015, 0.05) * (0.5 + 1.5 * near)
        c.line([(at - half, y), (at, y + 0.002 * c.rng.normal()), (at + half, y)], c.rng.uniform(2, 5), WATER,
               load=0.35, body=0, opacity=c.rng.uniform(0.1, 0.35))


def _skiff(c, x, y):
    """A boat, a fisherman under his hat, a pole: few marks, made quickly."""
    for points, width in (
            ([(-.062, -.010), (-.03, .006), (.02, .007), (.068, -.016)], 9),
            ([(-.035, -.002), (-.02, -.028), (.002, -.028), (.012, -.002)], 4.5),
            ([(.036, -.004), (.037, -.018), (.036, -.032)], 9),
            ([(.020, -.033), (.036, -.047), (.053, -.033)], 5),
            ([(.020, -.066), (.05, -.01), (.078, .035)], 2.4)):
        c.line(np.array(points) + [x, y], width, INK, body=0, opacity=0.95)
    for k in range(5):
        half, low = 0.06 - 0.011 * k, y + 0.016 + 0.007 * k
        c.line([(x - half, low), (x + half, low + 0.001)], 3.5, WATER, load=0.4, body=0, opacity=0.3)


def _bank(c, tooth):
    """The near bank in split dark strokes, and reeds on it."""
    rng = c.rng
    skyline = _skyline(c, BANK, 1.6)
    wet = 0.55 + 0.35 * c.clouds(9) + 0.9 * np.exp(-np.maximum(c.y - skyline, 0) / 0.02)
    c.wash(step(c.y - skyline + 0.001 * tooth, 0.004) * wet * (1 + 0.12 * tooth), SLATE)
    for x in rng.uniform(0, 0.46, 210):
        y = skyline[0, int(x * c.long)] + abs(rng.normal(0, 0.06)) + 0.004
        _fall(c, x, y, 1 if x > 0.06 else -1, rng.uniform(0.02, 0.08), rng.normal(1.0, 0.25), tint=INK,
              width=rng.uniform(4, 14), opacity=rng.uniform(0.4, 0.9), load=rng.uniform(0.3, 0.75))
    for x, lean in zip(rng.uniform(0.25, 0.40, 26), rng.normal(0.4, 0.5, 26)):
        foot, tall = 0.92 + 0.1 * x, rng.uniform(0.03, 0.075)
        c.line([(x, foot), (x + 0.01 * lean, foot - 0.6 * tall), (x + 0.045 * lean, foot - tall)],
               rng.uniform(2, 4), INK, body=0, taper=0.9, opacity=rng.uniform(0.35, 0.95))


def _pine(c, tooth):
    """An old pine: trunk and limbs wet, then dry, then dark along both sides; bark; needles in flat fans."""
    for points, width in ((TRUNK, 25), *LIMBS):
        for shift, share, tint, load, dark in ((0, 1, "4a4845", 1.0, 0.75), (0.22, 0.55, INK, 0.5, 0.9),
                                               (-0.34, 0.25, INK, 0.9, 0.95)):
            c.line(np.array(points) + [width * shift / 768, 0], width * share, tint, load=load, body=0,
                   taper=0.7, opacity=dark)
    for x, y in curve(TRUNK, count=70)[4:60] + c.rng.normal(0, 0.004, (56, 2)):
        c.line([(x - 0.005, y), (x, y + 0.005), (x + 0.004, y - 0.004)], c.rng.uniform(1.5, 3.5), INK,
               load=0.5, body=0, opacity=c.rng.uniform(0.3, 0.8))
    for x, y, r in FANS:
        d = ((c.x - x) / r) ** 2 + ((c.y - y + 0.1 * r) / (0.55 * r)) ** 2
        c.wash(0.4 * np.exp(-d * d) * (1 + 0.15 * tooth), "2a3a3c")
        for k in range(9):
            foot = np.array([x + (k / 4 - 1) * r * 0.95, y + c.rng.normal(0, 0.16 * r) - 0.12 * r * (k % 2)])
            dark = c.rng.uniform(0.55, 1)
            for turn in np.linspace(0.98, 2.02, 13) * np.pi + c.rng.normal(0, 0.08, 13):
                tip = np.array([np.cos(turn), np.sin(turn)]) * r * c.rng.uniform(0.38, 0.56)
                c.line([foot, foot + 0.5 * tip + [0, -0.04 * r], foot + tip], c.rng.uniform(1.4, 2.3), INK,
                       body=0, taper=0.8, opacity=dark)


def _seal(c, x, y, r):
    """A red stamp with waves cut into it."""
    p, q = (c.x - x) / r, (c.y - y) / r
    stamp = step(1 + 0.06 * c.clouds(40, 1) - np.maximum(abs(p), abs(q)), 0.1)
    for k in (-0.45, 0, 0.45):
        stamp *= 1 - step(0.09 - abs(q - k - 0.16 * np.sin(4.2 * p + k)), 0.06) * (abs(p) < 0.72)
    c.wash(stamp * 1.7 * np.clip(1 + 0.3 * c.clouds(60), 0.2, 2), "b3261e")
