"""Video, repainted steadily from frame to frame; `tfstyle.stylize_video` is its front door."""
