"""Public data sets: what is known of each, and how one comes onto this machine."""
