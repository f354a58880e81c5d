"""Brushes, pigments and light: the tools that paint.py paints with (NumPy, SciPy, Pillow).

Colors live in OKLab, where halfway between two pigments also looks halfway. A canvas keeps the height of its
paint too, so that light from the upper left shows every ridge a bristle left. Positions are parts of the
picture's long side (x from 0 to 1 where the picture is wide); a unit, for widths and lengths, is 1/768 of it.
"""
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.special import ndtr

FINE = 2  # canvas pixels per picture pixel and axis: averaging them at the end smooths every edge
LIGHT = np.array([-0.52, -0.62, 0.9]) / np.linalg.norm([-0.52, -0.62, 0.9])
# Linear sRGB to cone responses to OKLab (Ottosson, "A perceptual color space for image processing", 2020).
LMS = np.array([[0.4122214708, 0.5363325363, 0.0514459929],
                [0.2119034982, 0.6806995451, 0.1073969566],
                [0.0883024619, 0.2817188376, 0.6299787005]])
LAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468],
                [1.9779984951, -2.4285922050, 0.4505937099],
                [0.0259040371, 0.7827717662, -0.8086757660]])


# ---------------------------------------------------------------- color

@lru_cache
def pigments(codes):
    """Hex codes "1d2f6f f6c94a ..." to OKLab, (n, 3); a single code gives (3,)."""
    srgb = np.array([[int(code[i:i + 2], 16) for i in (0, 2, 4)] for code in codes.split()]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    lab = np.cbrt(linear @ LMS.T) @ LAB.T
    lab.flags.writeable = False  # the next caller gets the same array
    return lab if len(lab) > 1 else lab[0]


def to_srgb(lab, light):
    """OKLab (h, w, 3) under `light` (h, w), a factor on linear light, to sRGB; not clipped above 1."""
    linear = np.clip((lab @ np.linalg.inv(LAB).T) ** 3 @ np.linalg.inv(LMS).T, 0, 1) * light[..., None]
    gamma = 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, linear * 12.92, gamma)


def mix(a, b, t):
    """From color a (t = 0) to color b (t = 1); t is a map or a list of shares."""
    return a + (b - a) * np.asarray(t)[..., None]


def ramp(codes, t):
    """The pigments in a row, t = 0 the first and t = 1 the last, blended in between."""
    colors = np.atleast_2d(pigments(codes))
    t = np.clip(t, 0, 1) * (len(colors) - 1)
    i = t.astype(int)
    return mix(colors[i], colors[np.minimum(i + 1, len(colors) - 1)], t - i)


def step(value, soft):
    """0 where value < 0, 1 where value > 0, an S-curve `soft` wide between: the edge of a shape."""
    t = np.clip(value / soft + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


# ---------------------------------------------------------------- canvas

def curve(points, closed=False, count=120):
    """A smooth line through the points (Catmull-Rom), (count, 2)."""
    p = np.asarray(points, float)
    p = np.vstack([p[-1:], p, p[:2]]) if closed else np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    at = np.linspace(0, len(p) - 3, count)
    i = np.minimum(at.astype(int), len(p) - 4)
    t = (at - i)[:, None]
    a, b, c, d = (p[i + k] for k in range(4))
    bend, twist = 2 * a - 5 * b + 4 * c - d, 3 * b - a - 3 * c + d
    return 0.5 * (2 * b + (c - a) * t + bend * t ** 2 + twist * t ** 3)


def _spline(cells, count):
    """(count, cells + 3): the weight of each lattice value at each of `count` places (cubic B-spline)."""
    at = np.linspace(0, cells, count, endpoint=False)[:, None] + 1
    d = np.abs(at - np.arange(cells + 3))
    return np.where(d < 1, 2 / 3 - d * d + d ** 3 / 2, np.where(d < 2, (2 - d) ** 3 / 6, 0))


class Canvas:
    """Paint as it lies (`lab`, `height`), and the scene in the painter's mind (colors, brush `angle`).

    Args:
        size: long side of the picture in pixels. aspect: width / height. ground: hex code of the priming.
        seed: everything random on this canvas comes from it.
    """

    def __init__(self, size, aspect, ground, seed):
        width, height = (size, round(size / aspect)) if aspect >= 1 else (round(size * aspect), size)
        self.shape = height * FINE, width * FINE
        self.long = size * FINE
        self.unit = self.long / 768
        self.rng = np.random.default_rng(seed)
        self.y, self.x = (np.mgrid[:self.shape[0], :self.shape[1]] + 0.5) / self.long
        self.lab = np.tile(pigments(ground), (*self.shape, 1))
        self.height = np.zeros(self.shape)
        self.scene = self.lab.copy()
        self.angle = np.zeros(self.shape)

    def lay(self, mask, color, angle=None):
        """Put a color (one, or a map) into the scene where mask is 1, and turn the brush there to `angle`."""
        self.scene = mix(self.scene, color, mask)
        if angle is not None:
            self.angle = np.where(mask > 0.5, angle, self.angle)

    def clouds(self, cells, octaves=3):
        """Soft random hills, about `cells` along the long side, mean 0, deviation 1; alike at every size."""
        total = 0
        for octave in range(octaves):
            rows, columns = (max(1, round(cells * 2 ** octave * s / max(self.shape))) for s in self.shape)
            lattice = self.rng.standard_normal((rows + 3, columns + 3)) / 2 ** octave
            total = total + _spline(rows, self.shape[0]) @ lattice @ _spline(columns, self.shape[1]).T
        return (total - total.mean()) / total.std()

    def streaks(self, angle, cells, length):
        """Clouds smeared along the angle field over `length`: soft bands, mean 0, deviation 1."""
        field, small = self.clouds(cells, 2)[::4, ::4], np.broadcast_to(angle, self.shape)[::4, ::4]
        total = field.copy()
        for sign in (-1, 1):
            y, x = np.mgrid[:small.shape[0], :small.shape[1]].astype(float)
            for _ in range(24):
                here = small[np.clip(y, 0, small.shape[0] - 1).astype(int),
                             np.clip(x, 0, small.shape[1] - 1).astype(int)]
                x += sign * np.cos(here) * length * self.long / 96
                y += sign * np.sin(here) * length * self.long / 96
                total += map_coordinates(field, (y, x), order=1, mode="nearest")
        where = np.meshgrid(*(np.arange(n) / 4 for n in self.shape), indexing="ij")
        total = map_coordinates((total - total.mean()) / total.std(), where, order=1, mode="nearest")
        return gaussian_filter(total, 2)

    def area(self, points, smooth=True, soft=0.7):
        """The closed shape through the points as a map: 1 inside, 0 outside, the edge `soft` units wide."""
        image = Image.new("L", self.shape[::-1])
        outline = curve(points, closed=True, count=240) if smooth else np.asarray(points)
        ImageDraw.Draw(image).polygon([tuple(p) for p in outline * self.long], fill=255)
        return gaussian_filter(np.asarray(image) / 255, soft * self.unit)

    def busy(self):
        """1 where the scene has edges or small things, 0 where it is calm."""
        smooth = gaussian_filter(self.scene, (3 * self.unit / 2, 3 * self.unit / 2, 0))
        change = np.linalg.norm(np.stack(np.gradient(smooth, axis=(0, 1))), axis=(0, -1))
        return np.clip(gaussian_filter(change, 2 * self.unit) * self.unit * 14, 0, 1)

    def wash(self, density, tint):
        """Let thin paint sink in: the more density, the less of what lies beneath shows."""
        self.lab = mix(self.lab, pigments(tint), 1 - np.exp(-np.maximum(density, 0)))

    def line(self, points, width, tint, **how):
        """One deliberate stroke through the points; see `stroke`."""
        path = curve(points) if len(points) > 2 else np.asarray(points, float)
        stroke(self, path * self.long, max(width * self.unit, 1.6), pigments(tint), **how)

    def finish(self, relief=1.0, gloss=0.0):
        """Light the paint from the upper left and average the fine canvas down: sRGB uint8 (h, w, 3)."""
        dy, dx = np.gradient(gaussian_filter(self.height, 0.3 * self.unit) * relief * 2.2)
        normal = np.stack([-dx, -dy, np.ones_like(dx)], -1) / np.sqrt(dx * dx + dy * dy + 1)[..., None]
        half = (LIGHT + [0, 0, 1]) / np.linalg.norm(LIGHT + [0, 0, 1])
        shine = gloss * (np.clip(normal @ half, 0, 1) ** 60 - half[2] ** 60)
        rgb = to_srgb(self.lab, np.clip(normal @ LIGHT / LIGHT[2], 0.35, 1.9)) + shine[..., None]
        h, w = self.shape
        rgb = np.clip(rgb, 0, 1).reshape(h // FINE, FINE, w // FINE, FINE, 3).mean((1, 3))
        return np.round(rgb * 255).astype(np.uint8)


# ---------------------------------------------------------------- strokes

@lru_cache
def hair(length=1536, count=512):
    """What the hairs of a brush leave when drawn along: [0, 1], long along axis 0, fine across axis 1."""
    rng = np.random.default_rng(5)
    bank = 0
    for along, across, weight in ((90, 2.2, 1.0), (200, 7.0, 1.2), (12, 1.2, 0.35)):
        layer = gaussian_filter(rng.standard_normal((length, count)), (along, across), mode="wrap")
        bank = bank + weight * layer / layer.std()
    return ndtr(bank / bank.std())


def stroke(canvas, path, width, color, *, second=None, load=1.0, body=1.0, taper=0.5, streak=0.05,
           opacity=1.0):
    """Draw one stroke: a sheet of hairs, bent along the path and laid on the canvas.

    Args:
        path: (n, 2) canvas pixels (x, y). width: canvas pixels.
        color, second: OKLab; the second pigment sits unmixed in some of the hairs.
        load: how full the brush is: 1 covers, 0.5 breaks up towards the end, 0.2 is dry from the start.
        body: thickness of the paint, 0 for ink. taper: how far the end runs out to a point.
        streak: how far lightness differs from hair to hair. opacity: below 1 for diluted paint.
    """
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    nu, nv = max(4, int(along[-1] / 0.6)), max(4, int(width / 0.6))
    where = np.linspace(0, along[-1], nu)
    cx, cy = np.interp(where, along, path[:, 0]), np.interp(where, along, path[:, 1])
    tx, ty = np.gradient(cx), np.gradient(cy)
    norm = np.hypot(tx, ty) + 1e-9
    u, v = np.linspace(0, 1, nu)[:, None], np.linspace(-1, 1, nv)[None]
    # Pressure: a quick swell when the brush comes down, a slow lift at the end.
    end = width / (along[-1] + width)
    press = np.sqrt(np.clip(u / (0.6 * end), 0, 1)) * (1 - taper * np.clip((u - 0.45) / 0.55, 0, 1) ** 2)
    reach = v * press * width / 2
    ix = np.floor(cx[:, None] - (ty / norm)[:, None] * reach).astype(int)
    iy = np.floor(cy[:, None] + (tx / norm)[:, None] * reach).astype(int)

    bank = hair()
    a, b, c = canvas.rng.integers(0, 1 << 20, 3)
    rows, columns = (np.arange(nu) + a)[:, None] % len(bank), (np.arange(nv) + b) % bank.shape[1]
    bristle = bank[rows, columns]
    # The paint runs out hair by hair: those with little of it stop first, at the end and along the sides.
    left = load * 1.6 - 1.1 * u - 0.5 * np.abs(v) ** 4 + 0.25
    ragged = bank[rows[0], columns]
    cover = np.clip((left - bristle * 0.95) * 5, 0, 1) * np.clip((1 - np.abs(v)) * nv * 0.35, 0, 1)
    cover *= np.clip((u - 0.25 * end * ragged) * nu / 4, 0, 1)
    cover *= np.clip((1.02 - u - 0.8 * end * ragged) * nu / 5, 0, 1)
    inside = (ix >= 0) & (iy >= 0) & (ix < canvas.shape[1]) & (iy < canvas.shape[0]) & (cover > 0.02)
    iy, ix, cover, bristle = iy[inside], ix[inside], cover[inside] * opacity, bristle[inside]
    if not len(ix):
        return
    paint = np.repeat(color[None], len(ix), 0)
    if second is not None:
        other = bank[(rows + c) % len(bank), (columns * 2 // 3 + c) % bank.shape[1]][inside]
        paint += (second - color) * step(other - 0.62, 0.5)[:, None]
    paint[:, 0] += streak * (1 - 2 * bristle)
    canvas.lab[iy, ix] += (paint - canvas.lab[iy, ix]) * cover[:, None]
    # Grooves between the hairs, and banks of paint pushed aside along the edges and up at the end.
    ridge = (1.1 + np.abs(v) ** 5 * 0.6 + u ** 6 * 0.5)[inside] - 0.9 * bristle
    relief = body * ridge * np.sqrt(width / 24)
    canvas.height[iy, ix] += (relief - 0.7 * canvas.height[iy, ix]) * cover


def follow(angle, x, y, length, steps=14):
    """Walk both ways from each seed along the angle field: paths (n, steps + 1, 2), canvas pixels."""
    def look(px, py):
        h, w = angle.shape
        return angle[np.clip(py, 0, h - 1).astype(int), np.clip(px, 0, w - 1).astype(int)]

    def walk(pace):
        points, heading = [np.stack([x, y], -1)], look(x, y)
        for _ in range(steps // 2):
            here = look(*points[-1].T)
            # Directions have no sign: keep to the one already headed for.
            heading = here + np.pi * (np.cos(here - heading) < 0)
            points.append(points[-1] + np.stack([np.cos(heading), np.sin(heading)], -1) * pace[:, None])
        return np.stack(points, 1)

    return np.concatenate([walk(-length / steps)[:, :0:-1], walk(length / steps)], 1)


def scatter(canvas, spacing, where=None):
    """Seeds (x, y) about `spacing` units apart, evenly but not in rows, in random order.

    `where` is a map of chances in [0, 1] to keep a seed.
    """
    gap, rng = max(spacing * canvas.unit, 4), canvas.rng
    y, x = np.mgrid[gap / 2:canvas.shape[0]:gap, gap / 2:canvas.shape[1]:gap].reshape(2, -1)
    x, y = np.stack([x, y]) + rng.uniform(-0.55, 0.55, (2, len(x))) * gap
    order = rng.permutation(len(x))
    x, y = x[order], y[order]
    keep = (x >= 0) & (y >= 0) & (x < canvas.shape[1]) & (y < canvas.shape[0])
    x, y = x[keep], y[keep]
    keep = rng.random(len(x)) < (1 if where is None else where[y.astype(int), x.astype(int)])
    return x[keep], y[keep]


def paint_over(canvas, width, length, spacing, *, where=None, jitter=(0.03, 0.012), turn=0.12, edges=0.12,
               **how):
    """Cover the canvas with strokes that take color and direction from the scene.

    Args:
        width, length, spacing: in units. where: chance map [0, 1]. jitter: deviation of lightness, of hue.
        turn: deviation of the direction, radians.
        edges: a stroke ends where the scene's color is this far from its own, as a painter lifts the brush
            at a contour (Hertzmann, SIGGRAPH 1998).
    """
    rng, (h, w) = canvas.rng, canvas.shape
    width, length = max(width * canvas.unit, 3.0), max(length * canvas.unit, 6.0)
    x, y = scatter(canvas, spacing, where)
    paths = follow(canvas.angle, x, y, length * rng.uniform(0.6, 1.4, len(x)))
    seed, swing = np.stack([x, y], -1)[:, None], rng.normal(0, turn, len(x))
    c, s = np.cos(swing), np.sin(swing)
    paths = seed + np.einsum("nij,npj->npi", np.stack([c, -s, s, c], -1).reshape(-1, 2, 2), paths - seed)
    seen = canvas.scene[np.clip(paths[..., 1], 0, h - 1).astype(int),
                        np.clip(paths[..., 0], 0, w - 1).astype(int)]
    middle = paths.shape[1] // 2
    apart = np.linalg.norm(seen - seen[:, middle:middle + 1], axis=-1) > edges
    for path, home, stop in zip(paths, seen[:, middle], apart):
        stops = np.flatnonzero(stop)
        first = min(max(stops[stops < middle], default=-1) + 1, middle - 1)
        last = max(min(stops[stops > middle], default=len(path)), middle + 2)
        spread = np.array([jitter[0], jitter[1], jitter[1]])
        color = home + rng.normal(0, 1, 3) * spread
        stroke(canvas, path[first:last], width * rng.uniform(0.6, 1.3), color,
               second=color + rng.normal(0, 1.2, 3) * spread, **how)


# ---------------------------------------------------------------- dots

@lru_cache
def stamps(radius, count=48):
    """Dabs of a round brush, none quite a circle: pairs of cover and height maps."""
    rng = np.random.default_rng(11)
    n = int(radius * 1.4) + 2
    y, x = np.mgrid[-n:n + 1, -n:n + 1]
    around = np.arctan2(y, x)
    pairs = []
    for _ in range(count):
        lobes = ((2, 0.10), (3, 0.06), (5, 0.03))
        edge = 1 + sum(size * np.cos(k * around + rng.uniform(0, 2 * np.pi)) for k, size in lobes)
        d = np.hypot(x, y) / (radius * edge)
        cover = np.clip((1 - d) * radius * 0.8 + 0.3, 0, 1)
        pairs.append((cover, cover * (0.8 + 0.35 * np.exp(-((d - 0.72) / 0.2) ** 2))))
    return pairs


def dab(canvas, x, y, radius, colors):
    """Set one dot of each color at each (x, y); canvas pixels."""
    (h, w), rng = canvas.shape, canvas.rng
    for px, py, r, color in zip(x.astype(int), y.astype(int), radius, colors):
        cover, height = stamps(max(1.5, round(r * 2) / 2))[rng.integers(48)]
        n = len(cover) // 2
        part = np.s_[max(0, n - py):h - py + n, max(0, n - px):w - px + n]
        there = np.s_[max(0, py - n):py + n + 1, max(0, px - n):px + n + 1]
        cover, height = cover[part], height[part]
        canvas.lab[there] += cover[..., None] * (color - canvas.lab[there])
        canvas.height[there] += cover * (height - 0.75 * canvas.height[there])
