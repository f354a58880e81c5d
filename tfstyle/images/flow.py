"""Optical flow by OpenCV: where each pixel of a frame was in the one before, how far that can be trusted, and warping.

Needs the extra `tfstyle[video]`; nothing here imports TensorFlow.
"""

import numpy as np

from tfstyle.checks import InputError

__all__ = ["check_opencv", "flow", "steadied", "trust", "visible", "warped"]

_LEAST = 32  # px: below that the flow has no pyramid to stand on, and small pictures are enlarged first
_SIGMA = 0.06  # of the difference of two frames that noise, compression and resampling make, in [0, 1]
_FINE = 1.5  # sigma in px of the blur that takes fine detail away
_AROUND = (33, 33)  # px over which its strength is measured, twice
_MOST = 1.5  # times that it is made stronger at most


def check_opencv():
    """OpenCV, or `InputError` where it is missing."""
    try:
        import cv2
    except ImportError:
        raise InputError("Video needs OpenCV for its optical flow: pip install 'tfstyle[video]'.") from None
    return cv2


def flow(frame, other):
    """Where each pixel of `frame` lies in `other`.

    Args:
        frame, other: (H, W, 3) uint8, of one shape.

    Returns:
        (H, W, 2) float32: pixels to go to the right and down, so that other[y + v, x + u] shows what frame[y, x] does.

    Source: Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016 (arXiv:1603.03590), as OpenCV has
    it, at its medium preset.
    """
    cv2 = check_opencv()
    height, width = frame.shape[:2]
    larger = -(-_LEAST // min(height, width)) if min(height, width) < _LEAST else 1
    grays = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (frame, other)]
    if larger > 1:
        grays = [cv2.resize(gray, None, fx=larger, fy=larger, interpolation=cv2.INTER_LINEAR) for gray in grays]
    found = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(*grays, None)
    return found if larger == 1 else cv2.resize(found, (width, height), interpolation=cv2.INTER_AREA) / larger


def warped(picture, back, smooth=False):
    """A picture brought along a flow: result[y, x] = picture[y + v, x + u].

    Args:
        picture: (H, W) or (H, W, C) float32; what lies beyond its border is the border.
        back: (H, W, 2) float32, as `flow(this frame, the picture's frame)` gives it.
        smooth: interpolate linearly; otherwise by Lanczos' filter, which stays sharp when it is done again and again.

    Returns:
        A new array of the picture's shape, float32; Lanczos' filter overshoots a little.
    """
    cv2 = check_opencv()
    y, x = np.indices(back.shape[:2], np.float32)
    how = cv2.INTER_LINEAR if smooth else cv2.INTER_LANCZOS4
    return cv2.remap(picture, x + back[..., 0], y + back[..., 1], how, borderMode=cv2.BORDER_REPLICATE)


def visible(back, forth):
    """Which pixels of a frame can be seen in the frame before as well.

    Args:
        back: (H, W, 2), the flow from the frame to the one before.
        forth: (H, W, 2), the flow from the one before to the frame.

    Returns:
        (H, W) bool: False where going back and forth ends elsewhere (what has just come into view), beyond the border,
        and at the edges of things that move.

    Source: Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for Videos", GCPR 2016 (arXiv:1604.08610), eq. 5 and
    6, after Sundaram, Brox and Keutzer, ECCV 2010.
    """
    height, width = back.shape[:2]
    returned = warped(forth, back, smooth=True)
    size = (back**2).sum(-1)
    lost = ((back + returned) ** 2).sum(-1) > 0.01 * (size + (returned**2).sum(-1)) + 0.5
    gradients = sum(np.gradient(back[..., c], axis=axis) ** 2 for c in (0, 1) for axis in (0, 1))
    y, x = np.indices((height, width), np.float32)
    u, v = x + back[..., 0], y + back[..., 1]
    within = (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    return ~lost & (gradients <= 0.01 * size + 0.002) & within


def trust(frame, before, back, seen):
    """How far each pixel's flow can be trusted.

    What is not visible in the frame before is not to be trusted at all; elsewhere the difference between the frame
    and the one before, brought along, counts against it, as reflections, light and smoke do not move with a flow.

    Args:
        frame, before: (H, W, 3) uint8.
        back: (H, W, 2), the flow from the frame to the one before.
        seen: (H, W) bool, as `visible` gives it.

    Returns:
        (H, W) float32 in [0, 1], soft at its edges.

    Source: the weight exp(-a |I_t - warp(I_t-1)|^2) of Lai et al., "Learning Blind Video Temporal Consistency", ECCV
    2018 (arXiv:1808.00449), section 3.2. Differs: of means over 5x5 px, against the grain of sensors; times `seen`.
    """
    cv2 = check_opencv()
    moved = warped(before.astype(np.float32), back, smooth=True)
    difference = cv2.blur(frame.astype(np.float32) - moved, (5, 5)) / 255
    likeness = np.exp(-(difference**2).sum(-1) / (2 * _SIGMA**2))
    known = cv2.erode(seen.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
    return cv2.GaussianBlur(known, (5, 5), 0) * known * likeness


def steadied(painted, brought, trusted, stability):
    """A painted frame held to the one before where the flow is trusted.

    The mean of two pictures whose strokes differ is softer than either, and softer from frame to frame. So its fine
    detail is made as strong as the painted frame's own is around there, which keeps its place all the same.

    Args:
        painted: (H, W, 3) float32 in [0, 1], the frame painted by itself.
        brought: (H, W, 3) float32, the result before, `warped` to this frame.
        trusted: (H, W) float32 in [0, 1], of `trust`.
        stability: 0 (the painted frame itself) to 1 (the one before wherever it is fully trusted).

    Returns:
        (H, W, 3) float32 in [0, 1]; the painted frame itself where nothing is trusted.
    """
    cv2, trusted = check_opencv(), trusted[..., None]
    mean = painted + stability * trusted * (brought.clip(0, 1) - painted)
    detail, own = (picture - cv2.GaussianBlur(picture, (0, 0), _FINE) for picture in (mean, painted))
    energy, wanted = (cv2.blur(cv2.blur((part**2).sum(-1), _AROUND), _AROUND) + 1e-6 for part in (detail, own))
    gain = np.sqrt(wanted / energy).clip(1, _MOST)[..., None] - 1
    return (mean + trusted * gain * detail).clip(0, 1)
