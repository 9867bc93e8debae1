"""The local cloud: start it, deploy the same template to it, move its time."""
