"""Land cover and vegetation of Sentinel-2 chips."""
