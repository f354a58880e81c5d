"""Painted pictures as files for the visitor to see and to take away."""

import os
import secrets

from tfstyle import images
from tfstyle.web.orders import DECODING

__all__ = ["files"]

_QUALITY = 90  # of a JPEG that is only looked at


def files(order, picture, folder):
    """Writes a painted picture into a folder of its own, whose name nobody can guess.

    Args:
        order: `tfstyle.web.orders.Order` that it was painted for.
        picture: PIL image.
        folder: to make that folder in. Whoever gave it clears it up.

    Returns:
        {"before": the photo at the same size, "after": what can be shown beside it, "png", "jpeg"}: paths.
    """
    own = os.path.join(folder, secrets.token_hex(16))
    os.mkdir(own, 0o700)
    png, jpeg = (os.path.join(own, order.name + ending) for ending in (".png", ".jpg"))
    clear = picture.mode == "RGBA"
    before = os.path.join(own, "before.png" if clear else "before.jpg")
    images.write(png, picture)
    images.write(jpeg, picture)
    with DECODING:
        photo = images.read(order.photo, size=order.size)
    images.write(before, photo, **{} if clear else {"quality": _QUALITY})
    return {"before": before, "after": png if clear else jpeg, "png": png, "jpeg": jpeg}
