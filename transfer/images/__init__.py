"""From one file to one array (H, W, C)."""
