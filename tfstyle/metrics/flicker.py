"""Flicker: how far a painted video changes where the video that it was painted after does not.

Needs the extra `tfstyle[video]`; nothing here imports TensorFlow.
"""

import numpy as np

from tfstyle.checks import InputError
from tfstyle.images.flow import flow, visible, warped

__all__ = ["video_flicker", "warp_error"]


def video_flicker(frames, painted):
    """The warp error of a painted video.

    Protocol: for each frame but the first, `warp_error` by the flow between the frames of the video itself; the mean
    over the frames, each counting alike; a frame of which nothing can be seen in the one before, as after a cut, does
    not count. Two videos can be compared that were painted after one and the same at one size.

    Args:
        frames: iterable of (H, W, 3) uint8, the video.
        painted: iterable of (H, W, 3) float32 in [0, 1], as many.

    Returns:
        Float of at least 0, in values of [0, 1]; NaN where no frame counts.

    Raises:
        InputError: unlike shapes or counts.

    Source: as `warp_error`.
    """
    errors, before = [], None
    missing = object()
    frames, painted = iter(frames), iter(painted)
    while (frame := next(frames, missing)) is not missing:
        if (result := next(painted, missing)) is missing or result.shape != frame.shape:
            found = "none" if result is missing else str(result.shape)
            raise InputError(f"There must be a painted frame of shape {frame.shape} for each frame; received {found}.")
        if before is not None:
            back = flow(frame, before[0])
            errors.append(warp_error(result, before[1], back, visible(back, flow(before[0], frame))))
        before = frame, result
    if next(painted, missing) is not missing:
        raise InputError("There are more painted frames than frames; give one for each.")
    counted = [error for error in errors if error is not None]
    return float(np.mean(counted)) if counted else float("nan")


def warp_error(picture, before, back, seen):
    """Mean absolute difference of a picture and the one before it, brought along a flow.

    Args:
        picture, before: (H, W, 3) float32 in [0, 1].
        back: (H, W, 2), the flow from the frame to the one before, as `tfstyle.images.flow.flow` gives it.
        seen: (H, W) bool, the pixels that count, as `tfstyle.images.flow.visible` gives them.

    Returns:
        Float in [0, 1], or None where no pixel counts.

    Source: E_warp of Lai et al., "Learning Blind Video Temporal Consistency", ECCV 2018 (arXiv:1808.00449), section 4.
    Differs: the absolute difference, not its square, so that it reads in values of pixels; DIS in place of FlowNet2.
    """
    if not seen.any():
        return None
    return float(np.abs(picture - warped(before, back, smooth=True))[seen].mean(dtype=np.float64))
