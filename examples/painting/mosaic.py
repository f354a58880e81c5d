"""A kingfisher before the sun, in stone: tiles in courses, chipped edges, mortar (NumPy, SciPy).

The scene is a pile of fields of tiles. In each, courses follow the level lines of a map (rings around the
sun, lines along a contour), every course is cut into pieces of one size, and each piece gets its own stone.
"""
import numpy as np
from scipy.ndimage import binary_dilation, distance_transform_edt
from scipy.spatial import cKDTree

from .brush import Canvas, curve, mix, pigments, ramp, step

BIRD = [(.245, .315), (.262, .262), (.31, .225), (.375, .23), (.425, .275), (.455, .345), (.51, .43),
        (.57, .54), (.615, .66), (.645, .77), (.675, .87), (.625, .885), (.575, .79), (.52, .742),
        (.45, .722), (.385, .665), (.335, .575), (.308, .49), (.30, .42), (.268, .372)]
BEAK = [(.262, .290), (.15, .312), (.035, .352), (.14, .364), (.27, .368)]
BELLY = [(.305, .43), (.36, .415), (.395, .46), (.425, .56), (.48, .66), (.535, .742), (.45, .722),
         (.385, .665), (.335, .575), (.308, .49)]
WING = [(.40, .43), (.455, .395), (.515, .475), (.575, .60), (.62, .72), (.638, .80), (.57, .745),
        (.49, .665), (.43, .565), (.402, .50)]
EAR = [(.335, .328), (.38, .318), (.42, .335), (.437, .362), (.40, .378), (.355, .368)]
LORE = [(.258, .322), (.29, .314), (.302, .333), (.282, .352), (.26, .346)]
NECK = [(.418, .384), (.445, .365), (.462, .385), (.475, .418), (.435, .425), (.405, .405)]
THROAT = [(.275, .374), (.335, .372), (.385, .392), (.35, .418), (.303, .428)]
LEAVES = ((.20, .77, -2.35, .15, .32), (.12, .735, -2.9, .135, .34), (.13, .735, -1.85, .12, .34),
          (.13, .845, 2.2, .14, .3), (.70, .70, -1.0, .155, .3), (.66, .71, -.35, .15, .3),
          (.75, .695, .75, .13, .32), (.33, .785, 1.15, .15, .3), (.045, .875, 1.4, .12, .3),
          (.56, .745, 2.1, .13, .3))
BRANCHES = (([(.86, .665), (.66, .715), (.44, .748), (.22, .80), (-.04, .90)], .052, .032),
            ([(.24, .80), (.18, .755), (.10, .735)], .02, .012),
            ([(.30, .79), (.32, .84), (.30, .885)], .014, .01),
            ([(.68, .71), (.73, .76), (.735, .80)], .016, .01))  # spine, width at its ends
LEAF = [(0, 0), (.3, .8), (.6, .7), (1, .1), (.62, -.55), (.3, -.7)]
FRUITS = ((.295, .925, .055), (.738, .845, .05))  # x, y, radius
CROWN = [(-.3, .9), (-.5, 1.5), (-.1, 1.2), (0, 1.55), (.15, 1.2), (.45, 1.5), (.3, .9)]
INK, BARK = "0f1220 1b1f33", "2a1c20 3a2a2a"


def mosaic(size):
    """Paint it with long side `size`: uint8 (h, w, 3)."""
    fields = Fields(Canvas(size, 0.8, "8d8577", seed=2))
    _sun(fields)
    _branch(fields)
    _bird(fields)
    return _set_stones(fields)


class Fields:
    """The pile of fields: for every pixel its field, its course there, and the tone of its stone."""

    def __init__(self, canvas):
        self.canvas = canvas
        self.stones = []  # for each field: colors, size of a tile (units), how much its stones vary
        self.number = np.zeros(canvas.shape, int)
        self.course = np.zeros(canvas.shape)
        self.tone = np.zeros(canvas.shape)

    def lay(self, mask, along, tone, colors, tile, variety=0.12):
        """Tiles where the mask is set: a course for every `tile` units `along` rises, color by `tone`."""
        mask = mask > 0.5
        self.number[mask] = len(self.stones)
        self.course[mask] = np.broadcast_to(along / tile, mask.shape)[mask]
        self.tone[mask] = np.broadcast_to(tone, mask.shape)[mask]
        self.stones.append((colors, tile, variety))

    def figure(self, mask, tone, colors, tile, variety=0.12, outline=None):
        """Courses parallel to the figure's contour, and one dark course around it, as the ancients did."""
        mask, unit = mask > 0.5, self.canvas.unit
        if outline:
            self.lay(binary_dilation(mask, iterations=max(1, round(8 * unit))), 5, 0.5, outline, 10, 0.4)
        self.lay(mask, distance_transform_edt(mask) / unit + 0.35 * tile, tone, colors, tile, variety)

    def stone(self, mask, color):
        """A single stone."""
        self.lay(mask, 50, 0.5, color, 100, 0)


def _sun(f):
    """Blue air in rings around a golden sun."""
    d = np.hypot(f.canvas.x - 0.455, f.canvas.y - 0.40)
    blues = "8fb9b4 6fa3ad 4a86a0 2f6690 24507f 1c3b69 172c54"
    f.lay(d < 9, d * 768 + 3 * f.canvas.clouds(5, 1), (d - 0.30) / 0.42, blues, 16, 0.13)
    f.lay(d < 0.285, (0.285 - d) * 768, (0.285 - d) / 0.28, "e0a23a edbe58 f4d684 f8e8b4 fbf2d6", 14, 0.2)
    f.lay(abs(d - 0.293) < 0.009, 7, 0.5, "c9532c b8452c d9703a", 14, 0.4)


def _branch(f):
    """Branches, leaves and two pomegranates."""
    c = f.canvas
    for points, first, last in BRANCHES:
        spine = curve(points)
        out = np.stack([np.gradient(spine[:, 1]), -np.gradient(spine[:, 0])], -1)
        out *= (np.linspace(first, last, len(spine)) / 2 / np.linalg.norm(out, axis=1))[:, None]
        limb = c.area(np.vstack([spine + out, (spine - out)[::-1]]), smooth=False)
        tone = 0.55 + 0.1 * c.clouds(12) - 0.3 * (c.y > 0.76 - 0.2 * (c.x - 0.4))
        f.figure(limb, tone, "3a241c 5a3826 7d5236 a5764a b98f62", 12, 0.16, BARK)
    for x, y, turn, length, wide in LEAVES:
        across, down = np.array(LEAF).T * [[1], [wide]] * length
        cos, sin = np.cos(turn), np.sin(turn)
        leaf = c.area(np.stack([x + across * cos - down * sin, y + across * sin + down * cos], -1))
        vein = (c.x - x) * sin - (c.y - y) * cos
        f.figure(leaf, 0.5 + 18 * vein, "1f3d2c 2f5a38 4f7f45 7ea356 b4c26a", 11, 0.14, BARK)
    for x, y, r in FRUITS:
        crown = [(x + r * a, y + r * b) for a, b in CROWN]
        f.figure(c.area(crown, smooth=False), 0.5, "8f2a24 c24a2e", 8, 0.3, BARK)
        tone = 0.62 - (c.x - x + c.y - y) / r * 0.38
        reds = "5f1420 8f1d28 bd2f2c d9533a f0906a f7c79a"
        f.figure(np.hypot(c.x - x, c.y - y) < r, tone, reds, 11.5, 0.1, "2a141c 3c1820")


def _bird(f):
    """The kingfisher, from its beak to its toes; white and orange patches come last."""
    c = f.canvas
    x, y = c.x, c.y
    beak = c.area(BEAK, smooth=False)
    f.figure(beak, 0.9 - (y - 0.30) / 0.07, "15161f 2a2b38 5a5560 8b7f7a", 10, 0.12, INK)
    back = np.clip(x - 0.31 - 0.5 * (y - 0.24), -0.1, 0.4)
    blues = "0f2f5c 14518a 1b78ad 2a9bc0 58c0cf c8efe0"
    f.figure(c.area(BIRD), 0.42 + 0.2 * c.clouds(14, 1) + 1.2 * back, blues, 10.5, 0.1, INK)
    oranges = "b03a1e cf5722 e8792b f39a44 f9bf76"
    f.figure(c.area(BELLY), 1.94 - 2.2 * x - 0.8 * y, oranges, 11)
    # Wing feathers run along the wing, bent a little, two dark courses to two light ones.
    along, across = 0.534 * (x - 0.4) + 0.845 * (y - 0.42), 0.534 * (y - 0.42) - 0.845 * (x - 0.4)
    feather = across * 768 + 240 * (along - 0.2) ** 2
    tone = 0.36 + 0.36 * np.sin(feather / 10.5 * np.pi / 2)
    f.figure(c.area(WING), 0.5, INK, 10.5, 0.12, INK)
    f.lay(c.area(WING), feather, tone, "0b2247 123f78 1a62a0 2f8cc0 9cdce0", 10.5)
    f.figure(c.area(EAR), 3.84 - 8 * x, "c9531f e07a2a f3a04a", 9.5, 0.2)
    f.figure(c.area(LORE), 0.6, "c9531f e88a34", 9, 0.3)
    f.figure(c.area(NECK), 0.5, "e6e0d0 fbf6ea", 9, 0.4)
    f.figure(c.area(THROAT), 0.5, "e2d8c4 fbf6ea f4e8cf", 9.5, 0.4)
    for toe in (0.425, 0.448, 0.471):
        f.stone(np.hypot((x - toe) / 0.8, y - 0.738) < 0.0145, "c4502c")
    eye = np.hypot(x - 0.318, y - 0.290)
    f.lay(eye < 0.030, 5, 0.5, "f0d8a0 e8b868", 10, 0.3)
    f.stone(eye < 0.020, "0a0a14")
    f.stone(np.hypot(x - 0.312, y - 0.283) < 0.0075, "ffffff")


def _cut(f):
    """Cut every course into pieces of its field's size (Lloyd's iteration): (h, w) numbers, their count."""
    c = f.canvas
    course = np.floor(f.course + 0.06 * c.clouds(60, 2))  # no hand lays a perfect line
    group = f.number * 4096 + np.clip(course + 2048, 0, 4095).astype(int)
    order = np.argsort(group, axis=None, kind="stable")
    starts = np.flatnonzero(np.diff(group.ravel()[order], prepend=-1))
    number, count = np.zeros(group.size, int), 0
    for first, last in zip(starts, np.append(starts[1:], group.size), strict=True):
        here = np.stack(np.unravel_index(order[first:last], group.shape), -1).astype(float)
        tile = f.stones[f.number.flat[order[first]]][1]
        pieces = max(1, round(len(here) / (tile * c.unit) ** 2))
        sample = here[c.rng.permutation(len(here))[:pieces * 60]]
        seeds = sample[:pieces]
        for _ in range(12):
            nearest = cKDTree(seeds).query(sample)[1]
            share = np.maximum(np.bincount(nearest, minlength=pieces), 1)
            seeds = np.stack([np.bincount(nearest, part, pieces) / share for part in sample.T], -1)
        number[order[first:last]] = cKDTree(seeds).query(here)[1] + count
        count += pieces
    return number.reshape(group.shape), count


def _set_stones(f):
    """Color every piece, chip its edges, round its rim, fill the gaps with mortar: uint8 (h, w, 3)."""
    c, rng = f.canvas, f.canvas.rng
    piece, count = _cut(f)
    field = np.zeros(count, int)
    field[piece] = f.number  # all pixels of a piece lie in one field
    share = np.maximum(np.bincount(piece.ravel(), minlength=count), 1)
    tone = np.bincount(piece.ravel(), f.tone.ravel(), count) / share
    colors = np.zeros((count, 3))
    for k, (codes, _, variety) in enumerate(f.stones):
        mine = np.flatnonzero(field == k)
        colors[mine] = ramp(codes, tone[mine] + rng.normal(0, variety, len(mine)))
    colors += rng.normal(0, 1, (count, 3)) * [0.032, 0.009, 0.009]

    chips = np.indices(c.shape) + 0.55 * c.unit * np.stack([c.clouds(90, 2), c.clouds(90, 2)])
    rows, columns = (np.clip(k, 0, n - 1).astype(int) for k, n in zip(chips, c.shape, strict=True))
    piece = piece[rows, columns]
    edge = np.zeros(c.shape, bool)
    edge[1:] |= np.diff(piece, axis=0) != 0
    edge[:, 1:] |= np.diff(piece, axis=1) != 0
    depth = distance_transform_edt(~edge) / c.unit
    gap = (0.85 + 0.3 * rng.random(count))[piece]
    grain = 0.7 * (c.clouds(120) + c.clouds(30))
    face = step(depth - gap + 0.1 * grain, 0.7)
    speck = np.array([1, 0, 0]) * grain[..., None]
    c.lab = mix(pigments("6e655a") + 0.03 * speck, colors[piece] + 0.012 * speck, face)
    rim = np.clip((depth - gap) / 1.8, 0, 1) ** 0.6
    c.height = face * (0.6 + 1.1 * rim) + 0.1 * grain * (1 - face)
    return c.finish(relief=1.0, gloss=0.12)
