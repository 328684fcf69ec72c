"""The shared ResNet: backbone, weights, head, loss, and what of it is frozen."""
