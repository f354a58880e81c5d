"""Training, on any Keras backend: pictures to batches, the loop with its checkpoints, and one file per network."""
