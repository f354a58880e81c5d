"""The networks, each from its paper, written for whichever backend Keras runs on."""
