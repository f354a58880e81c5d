"""An afternoon on the river: a landscape in dots of divided color (NumPy)."""
import numpy as np

from .brush import Canvas, dab, mix, paint_over, pigments, ramp, scatter, step

TUBES = pigments("f7f3e3 fbe37a f7c531 f29a2e e8642c d23b36 e58aa0 c94f86 8a4f9e 5a4aa6 3450b4 2f74c8 "
                 "55a7da 9cd3e4 2f9c8f 2f8f4f 6fb04a b5cf55 1f5f46 27307a 5a2b5e f9d9b8 cfe0c0 c9c3e6")
HORIZON = 0.335
SUN = (0.60, 0.262)
POPLARS = ((.055, .02, .036), (.125, .055, .033), (.19, .035, .034), (.252, .10, .028), (.306, .13, .025),
           (.352, .165, .021), (.392, .19, .018), (.425, .212, .015))  # x, top, half width
CROWN = ((.90, .10, .13), (.80, .165, .085), (.99, .20, .12), (.86, .02, .12), (.765, .095, .06),
         (.93, .27, .06))


def dots(size):
    """Paint it with long side `size`: uint8 (h, w, 3)."""
    c = Canvas(size, 4 / 3, "ead9b4", seed=4)
    _sky(c)
    waves = _river(c)
    _poplars(c, waves)
    _meadow(c)
    _tree(c)
    _walker(c, 0.66, 0.535, 0.125)
    for x, y, tall in ((0.50, 0.378, 0.070), (0.575, 0.354, 0.034)):
        _sail(c, x, y, tall, waves)
    paint_over(c, 16, 26, 11, edges=0.3, jitter=(0.02, 0.02), body=0.3)
    busy = c.busy()
    _divide(c, 6.6, 4.6, spread=0.06, share=0.50)
    _divide(c, 6.2, 3.9, spread=0.07, share=0.55)
    _divide(c, 4.2, 2.3, spread=0.04, share=0.35, where=busy)
    _divide(c, 11, 3.1, spread=0.10, share=0.75, where=1 - 0.6 * busy)
    return c.finish(relief=0.42, gloss=0.04)


def _divide(c, spacing, radius, spread, share, where=None):
    """A coat of dots, each tinted towards a pure tube color near its own, now warmer, now cooler.

    The eye mixes them back (Chevreul, 1839). `spread` is how far from its color a dot may look for a tube,
    `share` how much of the dot is the tube's; pale colors are divided less than strong ones.
    """
    x, y = scatter(c, spacing, where)
    seen = c.scene[y.astype(int), x.astype(int)]
    strength = np.clip(0.45 + 5 * np.hypot(seen[:, 1], seen[:, 2]), 0, 1.2)[:, None]
    wish = seen + c.rng.normal(0, spread, seen.shape) * [0.6, 1, 1] * strength
    pure = TUBES[np.argmin(((wish[:, None] - TUBES) ** 2 * [0.9, 1.6, 1.6]).sum(-1), 1)]
    color = mix(seen, pure, share * c.rng.uniform(0.6, 1.3, len(x)))
    dab(c, x, y, radius * c.unit * c.rng.uniform(0.75, 1.2, len(x)), color)


def _sky(c):
    """Blue down to gold, long clouds lit from below, the low sun, hills."""
    x, y = c.x, c.y
    low = np.hypot(x - SUN[0], y - SUN[1])
    c.lay(np.ones(c.shape), ramp("3f82d2 62a8e0 93cbe6 c6e2dc f7e7b4 fbcf92",
                                 y / HORIZON + 0.03 * c.clouds(3)))
    puffs = c.streaks(0.05, 7, 0.06) + 0.35 * c.clouds(16, 2)
    rows = step(puffs * 0.6 + np.cos((y - 0.115 + 0.03 * x) * 42) - 0.75, 0.7) * step(0.29 - y, 0.1)
    c.lay(0.9 * rows, ramp("fffaf0 fdebd2 f6c3b4 d9a8cc", 0.5 - 0.5 * np.sin((y - 0.115) * 42) + 0.1 * puffs))
    c.lay(np.exp(-(low / 0.11) ** 2), ramp("fffbe0 fff0a8 fdd98a f9c58a", low / 0.15))
    c.lay(step(0.027 - low, 0.006), pigments("fffdf0"))
    far = HORIZON - 0.036 - 0.032 * np.sin(4.5 * x + 2.2) - 0.012 * np.sin(13 * x)
    near = HORIZON - 0.014 - 0.012 * np.sin(9 * x + 1) - 0.006 * np.sin(31 * x)
    for ridge, colors, tall in ((far, "7486cc 8a9cd6 bcaad6 ecbcb4", 0.08),
                                (near, "3f6f9a 4f9470 93b862 dcd074", 0.035)):
        c.lay(step(y - ridge, 0.004), ramp(colors, (y - ridge) / tall + 0.09 * c.clouds(14)))


def _deep(c):
    """0 at the horizon, 1 at the lower edge."""
    return np.clip((c.y - HORIZON) / (0.75 - HORIZON), 0, 1)


def _river(c):
    """Water that mirrors the sky, and the sun in pieces; returns its waves."""
    deep, waves = _deep(c), c.streaks(0, 34, 0.03)
    river = ramp("fbdc9c f0cfae a9d0de 6fabd8 447fc6 2c56a8", 0.95 * deep + 0.07 * waves)
    path = np.exp(-((c.x - SUN[0] + 0.06 * deep) / (0.03 + 0.07 * deep)) ** 2)
    river = mix(river, pigments("fff0a4"), 0.85 * path * step(waves + 0.5 - deep, 1))
    c.lay(step(c.y - HORIZON, 0.003), river)
    return waves


def _poplars(c, waves):
    """Poplars on the far shore, lit from the right, each with its image in the water."""
    for at, top, half in POPLARS:
        base, leafy = HORIZON + 0.035 - 0.04 * at, c.clouds(40, 2)
        for mirrored in (True, False):
            rise = ((2 * base - c.y if mirrored else c.y) - top) / (base - top)
            rough = 0.3 * waves if mirrored else 0.16 * leafy
            width = half * np.sin(np.pi * np.clip(rise, 0, 1) ** 0.75) ** 0.8 * (1 + rough)
            side = (c.x - at + mirrored * 0.004 * waves) / half
            tree = step(width - half * abs(side), 0.004) * (rise > 0) * (rise < 1)
            if mirrored:
                c.lay(0.75 * tree, ramp("1f3f74 2a5f7a 4f9470 b0b85a", 0.38 + 0.32 * side + 0.12 * waves))
            else:
                tone = 0.5 + 0.4 * side + 0.12 * leafy - 0.1 * rise
                c.lay(tree, ramp("24336e 245a5a 2f8048 6fae45 c9cf4e f9dd6a", tone))
                c.lay(step(0.0035 - abs(c.x - at), 0.002) * (rise > 0.88) * (rise < 1), pigments("4a2f5a"))
    thick = np.clip((0.53 - c.x) / 0.5, 0, 1) ** 0.7 * 0.055 + 0.003 * c.clouds(30)
    shore = step(thick - abs(c.y - HORIZON - 0.028 + 0.04 * c.x), 0.006) * (c.y > HORIZON - 0.002)
    shore *= step(0.53 - c.x, 0.02)
    c.lay(shore, ramp("3f5f9a 3f8a5a 8fbf4f e6d85f", 0.3 + c.x + 0.22 * c.clouds(16)))


def _meadow(c):
    """The near bank: grass, a path, violet shade under the tree, poppies."""
    x, deep = c.x, _deep(c)
    edge = 0.60 + 0.32 * (1 - deep) ** 1.6 - 0.52 * deep ** 1.5 + 0.012 * np.sin(26 * deep)
    edge -= 0.004 * c.clouds(30)
    meadow = step(x - edge, 0.006) * (deep > 0.02)
    tone = 0.50 + 0.2 * c.clouds(7) + 0.15 * c.clouds(24, 2) - 0.2 * deep
    c.lay(meadow, ramp("5f9c48 9cc04c d4d658 f6e070 f9cb66", tone))
    rim = step(edge + 0.014 + 0.012 * deep - x, 0.012)
    c.lay(meadow * rim, ramp("2f4f8a 3a7a6a", 0.5 + 0.3 * c.clouds(20)))
    bend = 0.80 - 0.22 * (deep - 0.25) ** 2 + 0.03 * np.sin(7 * deep)
    path = step(0.030 * (0.25 + deep) - abs(x - bend), 0.012)
    c.lay(meadow * path, ramp("f3b48c fbe0b8 efa8a0", 0.5 + 0.3 * c.clouds(18)))
    shade = np.exp(-(((x - 0.84) / 0.20) ** 2 + ((c.y - 0.605 - 0.05 * (x - 0.8)) / 0.036) ** 2) ** 2)
    shade = shade + 0.12 * c.clouds(18)
    violet = ramp("3a3c94 5654aa 4a7f8a 7a6ab0", 0.5 + 0.3 * c.clouds(12))
    c.lay(0.9 * meadow * step(shade - 0.35, 0.3), violet)
    poppies = step(c.clouds(150, 2) + 0.7 * deep - 2.1, 0.5) * (shade < 0.4)
    c.lay(meadow * poppies, pigments("e2432f"))


def _tree(c):
    """The tree on the right: a trunk between orange and violet, a crown in round masses."""
    trunk = c.area([(.89, .61), (.905, .45), (.885, .30), (.90, .2), (.93, .2), (.94, .32), (.937, .46),
                    (.962, .62)])
    c.lay(trunk, ramp("d9803f 9a4a5a 4a2f6a", (c.x - 0.89) / 0.05 + 0.1 * c.clouds(20)))
    leafy = c.clouds(22)
    for x, y, r in CROWN:
        mass = 1 - np.hypot(c.x - x, c.y - y) / r
        light = 0.5 - (c.x - x + 1.1 * (c.y - y)) / r * 0.36 + 0.13 * leafy
        c.lay(step(mass + 0.14 * leafy - 0.1, 0.1), ramp("2a2f7a 24566a 2f7a4a 63a644 b5c94a f6da5a", light))


def _walker(c, x, y, tall):
    """A woman with a red parasol and her shadow."""
    side = (c.x - x) / tall
    white = ramp("4a4ab4 7f8cdc dfe6f8 fff6e0", 0.45 + side * 1.6)
    red = ramp("9a244a d9342f f26a2f fbb04f", 0.45 + side * 0.7)
    for points, color in (
            ([(-.1, .72), (-.9, .80), (-1.7, .86), (-1.6, .93), (-.6, .90), (.15, .80)], pigments("4646a0")),
            ([(-.13, .02), (.10, .02), (.16, .3), (.32, .78), (-.32, .80), (-.17, .3)], white),
            ([(-.14, .26), (.14, .26), (.15, .33), (-.15, .33)], pigments("c23a5a")),
            ([(-.07, -.16), (.07, -.16), (.08, .03), (-.08, .03)], pigments("f0a878")),
            ([(-.10, -.24), (.0, -.29), (.10, -.24), (.15, -.14), (-.15, -.14)], pigments("5a2f6a")),
            ([(-.62, -.16), (-.44, -.46), (-.05, -.62), (.34, -.46), (.52, -.16), (.22, -.25), (-.05, -.20),
              (-.32, -.25)], red)):
        c.lay(c.area([(x + tall * a, y + tall * b) for a, b in points], soft=0.5), color)


def _sail(c, x, y, tall, waves):
    """A boat under sail and its light on the water."""
    for points, colors, smooth in (
            ([(.02, -1), (.5, -.07), (.02, -.07)], "fffaf0 ffffff", False),
            ([(-.05, -.88), (-.38, -.07), (-.05, -.07)], "e8784a f09a5a", False),
            ([(-.5, -.05), (.6, -.05), (.4, .14), (-.36, .14)], "4a2f6a 3a3f8a", False),
            ([(.35, .18), (.02, .95), (-.3, .18)], "fbeed8 f6c9a0", True)):
        c.lay(c.area([(x + tall * a, y + tall * b) for a, b in points], smooth),
              ramp(colors, 0.5 + 0.3 * waves))
