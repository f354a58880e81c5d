"""Lanterns let go from a boat on a bay at night: thick strokes that follow the wind (NumPy)."""
import numpy as np

from .brush import Canvas, mix, paint_over, ramp, step

HORIZON = 0.545
MOON = (0.17, 0.165, 0.043)  # x, y, radius
STRAYS = [(0.885, 0.10, 0.008), (0.955, 0.20, 0.0095), (0.93, 0.035, 0.007)]
EDDIES = ((0.60, 0.225, 0.15, -5.5), (0.335, 0.315, 0.075, 3.4), (0.92, 0.29, 0.07, 3.0),
          (0.36, 0.05, 0.06, 2.5))
COLD, WARM = "fffdf0 fff6cc f7e59a c9d8a0 8fbfae 5a93b4", "fff8d0 ffe07a ffb238 f08326 c2643a 6f5f86"


def swirl(size):
    """Paint it with long side `size`: uint8 (h, w, 3)."""
    c = Canvas(size, 4 / 3, "0d1436", seed=1)
    lights = [MOON, *_lanterns(), *STRAYS]
    _sky(c, lights)
    _water(c, lights[:7])
    _hills(c)
    # Broad strokes first; the small brush only where there is something to say.
    paint_over(c, 26, 80, 14, edges=0.3)
    paint_over(c, 15, 70, 9.5, edges=0.16, jitter=(0.035, 0.012), body=1.2)
    busy = c.busy()
    paint_over(c, 10, 64, 15, edges=0.10, jitter=(0.06, 0.015), load=0.8, body=1.4, where=1 - busy)
    paint_over(c, 6.5, 28, 4.5, edges=0.08, jitter=(0.025, 0.01), turn=0.06, body=1.2, where=busy)
    _boat(c, 0.80, 0.622)
    for x in np.linspace(0.02, 0.50, 15) + c.rng.normal(0, 0.01, 15):
        y = HORIZON - c.rng.uniform(0.004, 0.02)
        c.line([(x, y), (x + 0.005, y + 0.001)], c.rng.uniform(4, 7.5), "ffd873", body=1.5, taper=0)
    return c.finish(relief=1.6, gloss=0.15)


def _lanterns():
    """(x, y, radius) of the lanterns: up from the boat and around the eddy, smaller the higher they are."""
    rise = np.array([0.0, 0.16, 0.30, 0.46, 0.60, 0.74, 0.88, 1.0, 1.1])
    turn, reach = 0.62 - 4.4 * rise, 0.27 - 0.10 * rise
    return zip(0.60 + 1.05 * reach * np.cos(turn), 0.265 + (reach - 0.015) * np.sin(turn),
               0.0235 - 0.012 * rise)


def _wind(c, lights):
    """Direction of the air: from the left, wound up into eddies, in rings around every light."""
    wind = np.stack([np.ones(c.shape), 0.45 * np.sin(5.2 * c.x + 3 * c.y + 0.6)], -1)
    for x, y, radius, spin in EDDIES:
        dx, dy = c.x - x, c.y - y
        pull = spin * np.exp(-(dx * dx + dy * dy) / (2 * radius ** 2)) / radius
        # A quarter of the pull points inwards: eddies are spirals, not rings.
        wind += np.stack([-dy - 0.25 * dx, dx - 0.25 * dy], -1) * pull[..., None]
    for x, y, r in lights:
        dx, dy = c.x - x, c.y - y
        d = np.hypot(dx, dy)
        ring = np.stack([-dy, dx], -1) / d[..., None] * (4 if r > 0.03 else -4)
        wind = mix(wind, ring, np.exp(-(d / (2.3 * r)) ** 4))
    return np.arctan2(wind[..., 1], wind[..., 0])


def _sky(c, lights):
    """Blue in bands along the wind, a last warmth above the horizon, halos around the lights."""
    c.angle = _wind(c, lights)
    bands = (c.streaks(c.angle, 10, 0.12) + 0.55 * c.streaks(c.angle, 26, 0.06)) / 1.14
    night = "0f1848 162a74 1d4596 2b65a6 4a8fb3 86bcc0 c4dcc8"
    c.lay(np.ones(c.shape), ramp(night, 0.39 + 0.17 * bands - 0.1 * (c.y - 0.2)))
    dusk = ramp("3c5f9c 7d83ad c697a0 eda784 f6cf94", 0.46 + 0.23 * bands)
    c.lay(0.9 * step(c.y + 0.04 * (c.x - 0.5) - 0.455, 0.26), dusk)
    for x, y, r in lights:
        d = np.hypot(c.x - x, c.y - y) / r
        rings = 0.07 * np.cos(d * 5.5) * (d > 0.9)
        c.lay(0.95 * step(3 - d, 1.8), ramp(COLD if r > 0.03 else WARM, d / 3 + rings))


def _water(c, lights):
    """Level strokes; each light lays a broken path on them, towards us."""
    deep, ripple = np.clip((c.y - HORIZON) / (0.75 - HORIZON), 0, 1), 0.12 * c.clouds(5, 1)
    waves = c.streaks(0.4 * ripple, 30, 0.05)
    sea = ramp("0b1440 14306f 24598f 4d8fae a9b9b4 e9b48c", 0.62 + 0.15 * waves - 0.42 * deep)
    for x, y, r in lights:
        is_moon = r > 0.03
        wide = r * (0.9 + 0.6 * deep) * np.clip(1 + 0.5 * waves, 0.3, 2)
        glints = np.exp(-((c.x - x) / wide) ** 2) * step(waves + 0.6 - 0.9 * deep, 1.2)
        colors = ramp("fff3c4 f2d48a c9b98a" if is_moon else "ffd873 f79a3c c4583a", deep)
        sea = mix(sea, colors, glints * (0.95 if is_moon or y > 0.2 else 0.5))
    c.lay(step(c.y - HORIZON, 0.002), sea, ripple)


def _hills(c):
    """Far hills on the left, a dark headland on the right, strokes falling with the slope."""
    for foot, hills, colors in (
            (HORIZON, ((0.5, 0.02, 9), (0.04, 0.055, 0.12), (0.30, 0.075, 0.12), (0.55, 0.03, 0.13)),
             "18265e 213a78 3d5a94"),
            (HORIZON + 0.012, ((1.0, 0.19, 0.13),), "0b1030 15244f 24506a 4a7f78")):
        ridge = foot - sum(tall * np.exp(-((c.x - at) / half) ** 2) for at, tall, half in hills)
        slope = np.arctan(np.gradient(ridge, axis=1) * c.long)
        tone = 0.45 + 0.22 * c.streaks(slope + 0.25, 16, 0.05) - 2.5 * (c.y - ridge - 0.04)
        c.lay(step(c.y - ridge, 0.003) * (c.y < foot), ramp(colors, tone), slope + 0.35)


def _boat(c, x, y):
    """Two red sails, stroke by stroke from the mast outwards, and a hull in three strokes."""
    for side, foot, top, reds in ((1, 0.054, 0.170, "e8743e f2a05a c4502f d9653a"),
                                  (-1, 0.060, 0.145, "8a3038 b5483d a03c3a d97a4a")):
        for share in np.linspace(0.06, 1, 9):
            out = side * foot * share
            points = [(x + side * 0.006 + 0.1 * out, y - top * (1 - 0.1 * share)),
                      (x + 0.7 * out, y - 0.5 * top),
                      (x + out, y - 0.018)]
            c.line(points, 9, c.rng.choice(reds.split()), taper=0.2, body=1.1)
    c.line([(x, y - 0.185), (x + 0.001, y - 0.09), (x, y)], 3, "1a1830", taper=0)
    for k, color in enumerate(("0a0f2c", "141f4a", "060a20")):
        low, half, up = y + 0.006 * k, 0.082 - 0.014 * k, 0.004 * k
        c.line([(x - half, low - 0.012 + up), (x, low + 0.003), (x + half, low - 0.016 + up)], 11, color,
               taper=0.3)
    c.line([(x - 0.07, y - 0.006), (x, y + 0.001), (x + 0.07, y - 0.009)], 2.5, "f0a35a", load=0.6)
