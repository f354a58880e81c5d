"""As many pictures as there are, on one machine or on a Ray cluster, going on wherever a run has broken off.

Nothing here imports TensorFlow or Ray before the first picture is to be painted.
"""
