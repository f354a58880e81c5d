"""Red trees above the bay: broad bands of pure color, drawn with the brush (NumPy, SciPy)."""
import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.spatial import cKDTree

from .brush import Canvas, curve, paint_over, pigments, ramp, step

SKY = ("fff0a0 ffe06a ffd04a ffb83a ff9a48 f77a52 f49a9a f7b8a0 ffd88a f7e6a8 a8dcc8 58bccc 3a98cc 58bccc "
       "a8dcc8 f7e6a8 ffd88a f7b8a0")
SEA = "2a9fb8 1f66b4 4fbcc0 2a84c8 f4b8a0 2a9fb8 1c4a9a 7fd0c8"
# Skyline, width of the bands, their colors, how far they lean against the skyline.
MOUNTAINS = ([(-.1, .34), (.08, .262), (.2, .29), (.34, .212), (.47, .315), (.60, .325), (.78, .232),
              (.92, .28), (1.1, .24)],
             0.034, "34389a 4f4cb4 7a60c4 4a70c8 9a78cc", 0.06)
SHORE = ([(-.1, .372), (.12, .345), (.26, .368), (.40, .352), (.52, .38), (1.1, .39)], 0.016,
         "1f6f6a 2f9a68 6fbc54 2a5aa0", 0)
FIELD = ([(.30, .80), (.40, .62), (.50, .525), (.64, .462), (.82, .435), (1.1, .41)],
         0.034, "f5c43a ee8a2e e2542f f2a09a f0b43a c8c040", -0.10)
HILL = ([(-.1, .49), (.08, .485), (.22, .53), (.36, .60), (.50, .69), (.60, .80)],
        0.036, "1f7a58 58a844 c8cc3a f0a42e 2a8f60 1a5f7a", 0.12)
HOUSES = ((.545, .475, .055, .042), (.612, .462, .045, .056), (.668, .452, .072, .048),
          (.752, .440, .052, .066), (.815, .440, .06, .042))  # left, foot, width, height
TREES = ((.13, .03, .10, .034), (.305, .13, -.05, .027), (.905, .15, -.07, .026))  # foot, top, lean, width
NAVY = "1c2060"


def fauve(size):
    """Paint it with long side `size`: uint8 (h, w, 3)."""
    c = Canvas(size, 4 / 3, "f2c14a", seed=6)
    x, y = c.x, c.y
    sun = np.hypot(x - 0.63, 1.1 * (y - 0.185))
    _bands(c, np.ones(c.shape), sun + 0.022 * np.sin(9 * x + 14 * y), 0.046, SKY)
    c.lay(step(0.058 - sun, 0.004), pigments("e02a2a"))
    # What the small brush goes over once more: contours, houses, trunks.
    small = [_land(c, *MOUNTAINS), _land(c, *SHORE)]
    _bands(c, step(y - 0.384, 0.003), y + 0.008 * np.sin(14 * x), 0.021, SEA)
    small += [_land(c, *FIELD), _village(c), _land(c, *HILL)]
    trees = [_trunk(c, *tree) for tree in TREES]
    small = np.max(small + [trunk for trunk, _ in trees], 0) > 0.5

    paint_over(c, 34, 150, 17, edges=0.22, jitter=(0.03, 0.015), turn=0.08)
    paint_over(c, 22, 110, 13, edges=0.12, jitter=(0.04, 0.018), turn=0.08, body=1.3, load=0.9)
    small = binary_dilation(small, iterations=max(1, round(3 * c.unit)))
    paint_over(c, 8, 34, 4.5, edges=0.10, jitter=(0.035, 0.012), turn=0.06, body=1.2, where=small)
    for _, tips in trees:
        _leaves(c, tips)
    return c.finish(relief=1.5, gloss=0.12)


def _bands(c, mask, field, pitch, colors):
    """Bands of flat color between the level lines of `field`, the brush along them."""
    field = field + 0.008 * c.clouds(6, 2)
    colors = pigments(colors)
    dy, dx = np.gradient(gaussian_filter(field, 4 * c.unit))
    c.lay(mask, colors[np.floor(field / pitch).astype(int) % len(colors)], np.arctan2(dx, -dy))


def _land(c, points, pitch, colors, tilt):
    """Everything below a line of points, under a contour now thick, now thin; returns the contour."""
    skyline = np.interp(c.x[0], *curve(points).T)[None]
    _bands(c, step(c.y - skyline, 0.002), c.y - skyline + tilt * c.x, pitch, colors)
    contour = step(0.0045 * np.clip(1 + 0.5 * c.clouds(9, 2), 0.2, 2) - abs(c.y - skyline), 0.002)
    c.lay(contour, pigments(NAVY), np.arctan(np.gradient(skyline, axis=1) * c.long))
    return contour


def _village(c):
    """White walls and red roofs on the shore; returns where they are."""
    everywhere = np.zeros(c.shape)
    for x, y, w, h in HOUSES:
        wall = [(x, y), (x + w, y - .004), (x + w, y - h), (x, y - h)]
        roof = [(x - .008, y - h + .004), (x + .3 * w, y - 1.6 * h), (x + .8 * w, y - 1.55 * h),
                (x + w + .01, y - h + .002)]
        door = [(x + .45 * w, y), (x + .65 * w, y), (x + .65 * w, y - .55 * h), (x + .45 * w, y - .55 * h)]
        for points, colors, angle in ((wall, "fff6e0 fbd8b8 9a94d8", 1.5),
                                      (roof, "f2642e d8302f a02850", 0.1),
                                      (door, "22409a " + NAVY, 1.5)):
            mask = c.area(points, smooth=False, soft=0.4)
            c.lay(mask, ramp(colors, (c.x - x) / w), angle)
            everywhere = np.maximum(everywhere, mask)
    return everywhere


def _trunk(c, foot, top, lean, width):
    """A trunk and four limbs, navy to orange across; returns their mask and the tips, where leaves hang."""
    spine = curve([(foot, 0.80), (foot + 0.25 * lean, 0.58), (foot + 0.1 * lean, 0.40),
                   (foot + 0.7 * lean, 0.24), (foot + lean, top + 0.08)])
    limbs = [(spine, width)]
    for k, side, reach in ((62, -1, 0.11), (74, 1, 0.12), (86, -1, 0.10), (98, 1, 0.09)):
        bend, tip = spine[k] + np.array([[0.4 * side, -0.35], [side, -1.0]]) * reach
        limbs.append((curve([spine[k - 6], bend, tip]), 0.5 * width))
    here = np.stack([c.x, c.y], -1)
    total = np.zeros(c.shape)
    for path, wide in reversed(limbs):
        tangent = np.gradient(path, axis=0)
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], -1) / np.linalg.norm(tangent, axis=1)[:, None]
        # Every fourth pixel may ask for its nearest point: the path bends slowly.
        nearest = cKDTree(path).query(here[::4, ::4])[1].repeat(4, 0).repeat(4, 1)[:c.shape[0], :c.shape[1]]
        off = here - path[nearest]
        side = 2 * (off * normal[nearest]).sum(-1) / (wide * np.linspace(1, 0.5, len(path)))[nearest]
        mask = step(1 - abs(side), 0.1) * (np.linalg.norm(off, axis=-1) < wide)
        tone = 0.5 + 0.5 * side * np.sign(normal[60, 0]) + 0.06 * c.clouds(30)
        colors = ramp(f"{NAVY} 2f3a9a 8a2a6a c8283a e23c34 f0702e ffb04a {NAVY}", tone)
        c.lay(mask, colors, np.arctan2(tangent[nearest, 1], tangent[nearest, 0]))
        total = np.maximum(total, mask)
    return total, [path[-1] for path, _ in limbs] + [spine[-1] + [0.03, -0.04]]


def _leaves(c, tips):
    """Short curved strokes around each tip: dark first, lighter later and towards the sun."""
    rng, greens = c.rng, ["15306a", "1a5a6a", "1f7a50", "4f9f3f", "a8c83a", "f2dc4a"]
    for tip in tips:
        for age in np.linspace(0, 1, 70):
            turn, far = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random()) * rng.uniform(0.7, 1.15)
            light = 0.45 + 0.35 * np.cos(turn + 0.9) * far + rng.normal(0, 0.12)
            at = tip + far * np.array([0.085 * np.cos(turn), 0.055 * np.sin(turn)])
            swing = turn + np.pi / 2 + rng.normal(0, 0.4)
            half = 0.018 * np.array([np.cos(swing), np.sin(swing)])
            green = greens[int(np.clip((0.55 * age + 0.75 * light) * 5, 0, 5))]
            c.line([at - half, at - [0, 0.004], at + half], rng.uniform(9, 17), green, body=1.3, load=0.85)
