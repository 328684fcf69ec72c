"""From rows to tensors: cached pixels, views and batches."""
